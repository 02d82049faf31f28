"""Django system checks: warnings about settings that are unsafe together."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register


@register(Tags.security)
def proxy_is_trusted(**_: Any) -> list[CheckMessage]:
    """W001: behind a proxy, rate limits need the client address that a trusted proxy forwards."""
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


@register(Tags.security, deploy=True)
def redis_has_password(**_: Any) -> list[CheckMessage]:
    """W002: Redis holds answers as they are written, so it needs a password."""
    if not settings.REDIS_URL:
        return []
    from redis.connection import parse_url  # two tenths of a second that a site without it saves

    server = parse_url(settings.REDIS_URL)  # type: ignore[no-untyped-call]
    if server.get("password") or "path" in server:  # a socket is guarded by its file's mode
        return []
    return [
        Warning(
            f"REDIS_URL leads to {server.get('host', 'localhost')} without a password: whoever reaches that "
            "port reads answers as they are written, and forges them.",
            hint="Set one in Redis (requirepass) and here, as in REDIS_URL=redis://:password@host:6379/0, "
            "or use a socket that only the site's user may open: unix:///run/redis/redis.sock?db=0.",
            id="chatsite.W002",
        )
    ]


@register(Tags.security, deploy=True)
def https_is_used(**_: Any) -> list[CheckMessage]:
    """W004: over plain HTTP whoever is on the way reads conversations and takes over sessions."""
    if settings.HTTPS:
        return []
    return [
        Warning(
            "CHATSITE_HTTPS is not set: cookies and conversations go over plain HTTP, where whoever is on "
            "the way reads them.",
            hint="Fine on one machine and in a trusted network. Else put a proxy that ends HTTPS in front "
            "(deploy/Caddyfile), and set CHATSITE_HTTPS=true and CHATSITE_TRUSTED_PROXIES.",
            id="chatsite.W004",
        )
    ]


@register(Tags.security)
def mails_lead_home(**_: Any) -> list[CheckMessage]:
    """W004: links in mails need the site's public address, which no request may say."""
    if not settings.SENDS_MAIL or settings.PUBLIC_URL or settings.CSRF_TRUSTED_ORIGINS:
        return []
    return [
        Warning(
            "EMAIL_URL is set and CHATSITE_PUBLIC_URL is not: links in mails lead to where it listens.",
            hint="Set the address that people open, as in CHATSITE_PUBLIC_URL=https://chat.example.org.",
            id="chatsite.W004",
        )
    ]


@register(Tags.security)
def provider_uses_https(**_: Any) -> list[CheckMessage]:
    """W003: over plain HTTP a man in the middle can answer in the provider's place."""
    if not settings.OIDC_ALLOW_HTTP:
        return []
    return [
        Warning(
            "CHATSITE_OIDC_ALLOW_HTTP is set: whoever stands between this site and its sign-in provider "
            "can sign in as anybody.",
            hint="It is for development. Unset it, and give CHATSITE_OIDC_SERVER an https:// address.",
            id="chatsite.W003",
        )
    ]
