"""Share links: make, list, revoke; and the read-only page that they lead to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from chatsite.attachments.models import Attached
from chatsite.conversations.models import Message, Share
from chatsite.conversations.sharing import do_revoke, do_share, read_share, shares_of
from chatsite.errors import Refusal
from chatsite.json_api import answer, api, body, user_id
from chatsite.page.attachments import attached_to
from chatsite.quotas.features import check_feature
from chatsite.quotas.terms import terms_of


class ShareForm(msgspec.Struct, forbid_unknown_fields=True):
    """Which branch, and for whom."""

    leaf: UUID
    public: bool = False


@api("GET", "POST")
def shares(request: HttpRequest) -> HttpResponse:
    """One's own links; or a new one."""
    owner = user_id(request)
    if request.method == "POST":
        form = body(request, ShareForm)
        check_feature(terms_of(owner), "sharing")
        return answer(item(do_share(owner, form.leaf, public=form.public)), 201)
    return answer({"shares": [item(share) for share in shares_of(owner)]})


@api("DELETE")
def share(request: HttpRequest, id: UUID) -> HttpResponse:
    """Revoke a link."""
    do_revoke(user_id(request), id)
    return HttpResponse(status=204)


@require_safe
def shared(request: HttpRequest, id: UUID) -> HttpResponse:
    """The branch, for reading. Nobody indexes it, no cache keeps it, its address goes to no other site.

    Who is not signed in is asked to, for whatever is not public: which links there are is not told.
    """
    try:
        found, branch = read_share(id, signed_in=request.user.is_authenticated)
        check_feature(terms_of(found.conversation.owner_id), "sharing")
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
    """A message for readers of the link: of its documents they learn the names, not the texts."""
    names = [one.attachment.name for one in documents]
    return {"role": row.role, "content": row.content, "documents": names}


def item(share: Share) -> dict[str, Any]:
    return {
        "id": str(share.id),
        "path": f"/s/{share.id}",
        "public": share.public,
        "created_at": share.created_at,
        "conversation": str(share.conversation_id),
        "title": share.conversation.title,
    }
