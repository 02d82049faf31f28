"""The page of a request that cannot be answered. One for a name that is not the site's says what to set."""

from __future__ import annotations

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views import defaults

SHOWN = 100
"""Characters of the name: longer ones are no names."""


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Names that the site has are told to nobody; a stranger reads only the one that they came by."""
    if isinstance(exception, DisallowedHost):
        host = request.META.get("HTTP_HOST", "")[:SHOWN]
        return HttpResponse(render_to_string("400_host.html", {"host": host}), status=400)
    return defaults.bad_request(request, exception)
