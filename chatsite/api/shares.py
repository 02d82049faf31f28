"""Share links over HTTP: make, list, revoke. The page that they lead to is pages/share.py."""

from __future__ import annotations

from uuid import UUID

import msgspec
from django.http import HttpRequest, HttpResponse

from chatsite.api.shapes import ShareItem
from chatsite.conversations.models import Share
from chatsite.conversations.sharing import do_revoke_share, do_share, shares_of
from chatsite.json_view import api, json_response, parse_body, user_id
from chatsite.quotas.plans import check_feature, limits_of


class ShareForm(msgspec.Struct, forbid_unknown_fields=True):
    """Which branch, and for whom."""

    leaf: UUID
    public: bool = False


@api("GET", "POST")
def shares(request: HttpRequest) -> HttpResponse:
    """One's own links; or a new one."""
    owner = user_id(request)
    if request.method == "POST":
        form = parse_body(request, ShareForm)
        check_feature(limits_of(owner), "sharing")
        return json_response(share_item(do_share(owner, form.leaf, public=form.public)), 201)
    return json_response({"shares": [share_item(share) for share in shares_of(owner)]})


@api("DELETE")
def share(request: HttpRequest, id: UUID) -> HttpResponse:
    """Revoke a link."""
    do_revoke_share(user_id(request), id)
    return HttpResponse(status=204)


def share_item(share: Share) -> ShareItem:
    return {
        "id": str(share.id),
        "path": f"/s/{share.id}",
        "public": share.public,
        "created_at": share.created_at,
        "conversation": str(share.conversation_id),
        "title": share.conversation.title,
    }
