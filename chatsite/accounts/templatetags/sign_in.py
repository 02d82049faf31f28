"""Which ways in the sign-in page offers: only those that can work here."""

from __future__ import annotations

from ipaddress import ip_address

from django import template
from django.conf import settings
from django.http import HttpRequest
from django.http.request import split_domain_port

register = template.Library()


@register.simple_tag
def can_join() -> bool:
    """People of the site's own domains make their account themselves."""
    return bool(settings.SIGNUP_DOMAINS)


@register.simple_tag
def passkeys_work(request: HttpRequest) -> bool:
    """A passkey belongs to a name, never to an address, over HTTPS or on this machine (WebAuthn, RP ID)."""
    host = split_domain_port(request.get_host())[0].strip("[]")
    try:
        ip_address(host)
    except ValueError:
        return request.is_secure() or host == "localhost" or host.endswith(".localhost")
    return False
