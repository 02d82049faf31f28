"""The settings page's API keys: list, make (the key is shown once), revoke."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from asgiref.sync import async_to_sync
from django.db import transaction
from django.http import HttpRequest, HttpResponse

from chatsite.accounts.keys import access_key, do_create_key, keys_of
from chatsite.accounts.models import ApiKey
from chatsite.api.shapes import KeyItem
from chatsite.audit.record import record
from chatsite.generations.cancel import do_revoke_key_and_stop
from chatsite.generations.wakeup import notify_worker
from chatsite.json_view import api, json_response, parse_body, user_id
from chatsite.quotas.plans import check_feature, limits_of


class NewKey(msgspec.Struct, forbid_unknown_fields=True):
    """`expires_at` with its time zone; left out: never. `token_budget`: inside the owner's quota."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    scopes: list[str]
    expires_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    token_budget: Annotated[int, msgspec.Meta(ge=1, le=2**62)] | None = None


@api("GET", "POST")
def keys(request: HttpRequest) -> HttpResponse:
    """All keys of this person that are not revoked; or a new one, with its text in `key`, this once."""
    owner = user_id(request)
    if request.method == "GET":
        return json_response(
            {"keys": [key_item(key) for key in keys_of(owner)], "scopes": ApiKey.Scope.values}
        )
    new = parse_body(request, NewKey)
    check_feature(limits_of(owner), "api")
    with transaction.atomic():
        made, text = do_create_key(owner, new.name, new.scopes, new.expires_at, new.token_budget)
        record(request.user, "added", made, after={"owner": made.owner, "scopes": ", ".join(made.scopes)})
    return json_response(key_item(made) | {"key": text}, status=201)


@api("DELETE")
def key(request: HttpRequest, id: UUID) -> HttpResponse:
    """Revoke: it lets nobody in any more, and what it has running stops."""
    with transaction.atomic():
        found = access_key(user_id(request), id)
        stopped = do_revoke_key_and_stop(found.id)
        record(request.user, "revoked", found)
    for generation in stopped[:1]:
        # One wakeup is enough: the worker reads all rows.
        async_to_sync(notify_worker)("cancelled", generation)
    return HttpResponse(status=204)


def key_item(row: ApiKey) -> KeyItem:
    """A key as the list shows it: never its text."""
    return {
        "id": str(row.id),
        "name": row.name,
        "prefix": row.prefix,
        "scopes": row.scopes,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "last_used_at": row.last_used_at,
        "token_budget": row.token_budget,
        "tokens_used": row.tokens_used,
    }
