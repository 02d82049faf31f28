"""The page itself: one shell for every conversation; the rest is fetched and streamed."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.utils.translation import get_language
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from chatsite.accounts.open_sessions import note_visit
from chatsite.quotas.features import allowed
from chatsite.quotas.terms import terms_of


@require_safe
@login_required
@ensure_csrf_cookie
def chat(request: HttpRequest, conversation: UUID | None = None) -> HttpResponse:
    """The shell. A conversation that is not this person's opens as one that is missing, in the page."""
    user = request.user
    assert user.is_authenticated
    note_visit(request)
    boot = {
        "user": {"name": user.display_name, "email": user.email, "is_staff": user.is_staff},
        "static": static(""),
        "conversation": str(conversation) if conversation else None,
        "language": get_language() or "en",
        "theme": user.theme,
        "features": allowed(terms_of(user.pk)),
    }
    response = render(request, "chat.html", {"boot": boot})
    response["Cache-Control"] = "no-store"
    return response
