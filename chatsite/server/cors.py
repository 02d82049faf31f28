"""CORS for `/v1`: pages of other origins may ask with a key of their own, where the operator allows them.

A key stands in a header that no browser adds by itself, so that nothing is allowed in anybody's name: no
cookie counts here (`Access-Control-Allow-Credentials` is never sent).
"""

from __future__ import annotations

import re

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.deprecation import MiddlewareMixin
from django.utils.http import is_same_domain

MAX_AGE_S = 600
"""How long a browser keeps a permission: ten minutes, Chromium's own limit is two hours."""

METHODS = "GET, POST"
USUAL_HEADERS = "Authorization, Content-Type"

_HEADER_NAMES = re.compile(r"[\w-]+(?:\s*,\s*[\w-]+)*", re.ASCII)


class CorsMiddleware(MiddlewareMixin):
    """Answers preflights of allowed origins, and lets their pages read what they are answered."""

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        wanted = request.headers.get("Access-Control-Request-Method")
        if request.method != "OPTIONS" or not wanted or not allowed_origin(request):
            return None
        response = HttpResponse(status=204)
        response["Access-Control-Allow-Methods"] = METHODS
        headers = request.headers.get("Access-Control-Request-Headers", "")
        # The official client sends a dozen of its own (x-stainless-…).
        response["Access-Control-Allow-Headers"] = (
            headers if _HEADER_NAMES.fullmatch(headers) else USUAL_HEADERS
        )
        response["Access-Control-Max-Age"] = str(MAX_AGE_S)
        patch_vary_headers(response, ("Access-Control-Request-Headers",))
        return response

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if settings.API_ORIGINS:
            patch_vary_headers(response, ("Origin",))
        if origin := allowed_origin(request):
            response["Access-Control-Allow-Origin"] = origin
            response["Access-Control-Expose-Headers"] = "*"
        return response


def allowed_origin(request: HttpRequest) -> str | None:
    """The Origin of a request, or `*`, as the setting allows it; None: another site's page, or no page."""
    origin = request.headers.get("Origin", "")
    if not origin:
        return None
    for allowed in settings.API_ORIGINS:
        if allowed == "*":
            return "*"
        scheme, _, host = allowed.partition("://")
        given, _, asked = origin.partition("://")
        if given == scheme and is_same_domain(asked, host.removeprefix("*")):
            return origin
    return None
