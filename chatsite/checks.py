"""What `manage.py check`, and each start, warns of: settings that are right alone and wrong together."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register


@register(Tags.security)
def proxy_is_trusted(**_: Any) -> list[CheckMessage]:
    """Rate limits count by address, which only a trusted proxy may tell."""
    if not settings.HTTPS or settings.TRUSTED_PROXIES:
        return []
    return [
        Warning(
            "CHATSITE_HTTPS is set and CHATSITE_TRUSTED_PROXIES is not: everybody behind the proxy counts as "
            "one address, and shares its rate limits.",
            hint="Name the proxy's address, as in CHATSITE_TRUSTED_PROXIES=127.0.0.1.",
            id="chatsite.W001",
        )
    ]
