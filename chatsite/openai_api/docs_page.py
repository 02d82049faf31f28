"""`/docs/api`: docs/api.md as a page, for people who have just made a key."""

from __future__ import annotations

from functools import cache

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

SITE = "http://127.0.0.1:8000"
"""The address in the document's examples; on the page it is this site's own."""


@require_safe
@login_required
def api_docs(request: HttpRequest) -> HttpResponse:
    """The document with this site's address in its examples."""
    here = f"{request.scheme}://{request.get_host()}"
    return render(request, "api_docs.html", {"text": _document().replace(SITE, here)})


@cache
def _document() -> str:
    return (settings.BASE_DIR / "docs" / "api.md").read_text(encoding="utf-8")
