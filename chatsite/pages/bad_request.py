"""The 400 page. For a Host that is not allowed it names the setting to change."""

from __future__ import annotations

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views import defaults

SHOWN = 100
"""Characters of the Host that are shown: host names are shorter."""


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Show the Host that was asked for, never the names that are allowed."""
    if isinstance(exception, DisallowedHost):
        host = request.META.get("HTTP_HOST", "")[:SHOWN]
        return HttpResponse(render_to_string("400_host.html", {"host": host}), status=400)
    return defaults.bad_request(request, exception)
