"""The chat page: one HTML shell for every conversation; content is fetched and streamed."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.utils.translation import get_language
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from chatsite.accounts.sessions import note_visit
from chatsite.quotas.plans import allowed, limits_of


@require_safe
@login_required
@ensure_csrf_cookie
def chat(request: HttpRequest, conversation: UUID | None = None) -> HttpResponse:
    """The chat page. Whether the conversation is this person's is checked by the API that the page calls."""
    user = request.user
    assert user.is_authenticated
    note_visit(request)
    boot = {
        "user": {"name": user.display_name, "email": user.email, "is_staff": user.is_staff},
        "static": static(""),
        "conversation": str(conversation) if conversation else None,
        "language": get_language() or "en",
        "theme": user.theme,
        "features": allowed(limits_of(user.pk)),
    }
    response = render(request, "chat.html", {"boot": boot})
    response["Cache-Control"] = "no-store"
    return response
