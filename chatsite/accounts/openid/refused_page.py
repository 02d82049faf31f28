"""The error page of single sign-on: the reason, and the way to sign in by password."""

from __future__ import annotations

import math

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from chatsite.errors import Refusal


def refused_page(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    """Render the Refusal. Not cached: another try may succeed."""
    page = render(request, "account/sign_on_refused.html", {"refusal": refusal}, status=refusal.status)
    page["Cache-Control"] = "no-store"
    if refusal.retry_after_s is not None:
        page["Retry-After"] = str(math.ceil(refusal.retry_after_s))
    return page
