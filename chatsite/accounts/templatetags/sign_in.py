"""Template tags for the sign-in methods that the page offers: only those that work here."""

from __future__ import annotations

from ipaddress import ip_address

from django import template
from django.conf import settings
from django.http import HttpRequest
from django.http.request import split_domain_port

register = template.Library()


@register.simple_tag
def can_join() -> bool:
    """Whether people of some domains may create their account themselves."""
    return bool(settings.SIGNUP_DOMAINS)


@register.simple_tag
def passkeys_work(request: HttpRequest) -> bool:
    """Whether passkeys work here: by a host name, not an IP address, over HTTPS or on localhost (RP ID)."""
    host = split_domain_port(request.get_host())[0].strip("[]")
    try:
        ip_address(host)
    except ValueError:
        return request.is_secure() or host == "localhost" or host.endswith(".localhost")
    return False
