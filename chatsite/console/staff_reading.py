"""Staff access to conversations: only where the site's policy allows it, each view in the audit log.

Without CHATSITE_STAFF_MAY_READ these pages do not exist. Temporary chats and deleted ones are never shown.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from chatsite.accounts.models import User
from chatsite.audit.record import record
from chatsite.conversations.access import conversations_for_staff
from chatsite.errors import Refusal

LISTED = 100
"""Conversations listed of one person, the newest."""


@require_safe
def person_page(request: HttpRequest, user: int) -> HttpResponse:
    """The titles of a person's conversations."""
    whose = get_object_or_404(User, pk=user)
    rows = list(_allowed().filter(owner=whose).order_by("-updated_at")[:LISTED])
    record(request.user, "listed the conversations", whose)
    return _page(request, "console/conversations.html", {"person": whose, "conversations": rows})


@require_safe
def conversation_page(request: HttpRequest, id: UUID) -> HttpResponse:
    """One conversation, in the order in which it was written."""
    with transaction.atomic():
        found = get_object_or_404(_allowed().select_related("owner"), id=id)
        messages = list(found.messages.filter(deleted_at=None).order_by("created_at", "id"))
        record(request.user, "read", f"conversation {found.id} of {found.owner}")
    return _page(request, "console/conversation.html", {"conversation": found, "turns": messages})


def _allowed() -> Any:
    try:
        return conversations_for_staff()
    except Refusal as refusal:
        raise Http404(refusal.message) from refusal


def _page(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    whole = admin.site.each_context(request) | {"title": _("Conversations")} | context
    response = render(request, template, whole)
    response["Cache-Control"] = "no-store"
    return response
