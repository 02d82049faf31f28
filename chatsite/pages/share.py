"""The read-only page of a shared conversation: `/s/<id>`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from chatsite.attachments.access import attached_to
from chatsite.attachments.models import Attached
from chatsite.conversations.models import Message
from chatsite.conversations.sharing import read_share
from chatsite.errors import Refusal
from chatsite.quotas.plans import check_feature, limits_of


@require_safe
def shared(request: HttpRequest, id: UUID) -> HttpResponse:
    """The shared branch. Not indexed, not cached, and its URL is in no Referer.

    Anonymous visitors are asked to sign in for every link that is not public, existing or not.
    """
    try:
        found, branch = read_share(id, signed_in=request.user.is_authenticated)
        check_feature(limits_of(found.conversation.owner_id), "sharing")
    except Refusal as refusal:
        if not request.user.is_authenticated:
            return _private(redirect_to_login(request.path))
        raise Http404(refusal.message) from refusal
    documents = attached_to(found.conversation)
    boot = {
        "title": found.conversation.title,
        "messages": [shared_item(one, documents.get(one.id, ())) for one in branch],
        "language": get_language() or "en",
        "static": static(""),
    }
    return _private(render(request, "shared.html", {"boot": boot, "share": found}))


def _private(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = "no-store"
    response["X-Robots-Tag"] = "noindex, nofollow"
    response["Referrer-Policy"] = "no-referrer"
    return response


def shared_item(row: Message, documents: Sequence[Attached]) -> dict[str, Any]:
    """A message with the names of its documents, without their texts."""
    names = [one.attachment.name for one in documents]
    return {"role": row.role, "content": row.content, "documents": names}
