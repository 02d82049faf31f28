"""How long one conversation is kept, over HTTP."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from django.http import HttpRequest, HttpResponse

from chatsite.json_view import api, json_response, parse_body, user_id
from chatsite.retention.cleanup import do_set_retention, read_policy, retention_days
from chatsite.retention.models import MAX_DAYS


class KeepForm(msgspec.Struct, forbid_unknown_fields=True):
    """Days since it was last written in; null: as the site says."""

    days: Annotated[int, msgspec.Meta(ge=1, le=MAX_DAYS)] | None


@api("GET", "PUT")
def conversation_retention(request: HttpRequest, id: UUID) -> HttpResponse:
    """How long this conversation stays, and what the site says of all."""
    owner = user_id(request)
    if request.method == "PUT":
        do_set_retention(owner, id, parse_body(request, KeepForm).days)
    policy = read_policy()
    return json_response(
        {"days": retention_days(owner, id), "site_days": policy.days, "spare_pinned": policy.spare_pinned}
    )
