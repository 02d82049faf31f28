"""The page's conversations over HTTP: list, open, rename, pin, delete, undo."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from django.db.models import Q
from django.http import HttpRequest, HttpResponse

from chatsite.batches.models import Batch
from chatsite.conversations import actions
from chatsite.conversations.access import access_conversation, visible_conversations
from chatsite.conversations.models import Conversation, Message
from chatsite.conversations.news import tell_changed_from_thread
from chatsite.errors import Refusal
from chatsite.generations.content import check_characters
from chatsite.json_api import answer, api, body, user_id
from chatsite.page.attachments import attached_to
from chatsite.page.message_items import message_items

PAGE = 50
"""Conversations in one page of the sidebar: more than two screens of it."""


MAX_FOLDER_CHARS = 60
"""Of a folder's name: a line of the sidebar."""


class Change(msgspec.Struct, forbid_unknown_fields=True):
    """What a person may change; what is left out stays."""

    title: Annotated[str, msgspec.Meta(min_length=1, max_length=200)] | None = None
    pinned: bool | None = None


class Chosen(msgspec.Struct, forbid_unknown_fields=True):
    """Conversations picked in the list."""

    ids: Annotated[list[UUID], msgspec.Meta(min_length=1, max_length=500)]


class Filed(Chosen):
    """Where the picked ones go; what is left out stays."""

    archived: bool | None = None
    folder: Annotated[str, msgspec.Meta(max_length=MAX_FOLDER_CHARS)] | None = None


@api("GET")
def conversations(request: HttpRequest) -> HttpResponse:
    """A page of the list, newest first; `before` is the `next` of the page before. Pinned ones come first.

    `folder` and `archived=1` narrow it; archived ones are listed only where they are asked for.
    """
    rows = visible_conversations(user_id(request)).filter(temporary=False)
    rows = rows.filter(archived=request.GET.get("archived") == "1")
    if folder := request.GET.get("folder"):
        rows = rows.filter(folder=check_characters(folder, MAX_FOLDER_CHARS))
    rows = rows.order_by("-pinned", "-updated_at", "-id")
    if cursor := request.GET.get("before"):
        rows = rows.filter(_after(cursor))
    found = list(rows[: PAGE + 1])
    following = _cursor(found[PAGE - 1]) if len(found) > PAGE else None
    page = {"conversations": [item(row) for row in found[:PAGE]], "next": following}
    return answer(page if cursor else page | {"folders": folders_of(user_id(request))})


@api("GET", "PATCH", "DELETE")
def conversation(request: HttpRequest, id: UUID) -> HttpResponse:
    """One conversation: its whole tree, a change, or its deletion (to be undone for a minute)."""
    owner = user_id(request)
    if request.method == "PATCH":
        change = body(request, Change)
        changed = item(actions.do_change(owner, id, **msgspec.structs.asdict(change)))
        tell_changed_from_thread(owner, [id])
        return answer(changed)
    if request.method == "DELETE":
        actions.do_delete(owner, [id])
        tell_changed_from_thread(owner, [id])
        return HttpResponse(status=204)
    found = access_conversation(owner, id)
    messages = message_items(Message.objects.filter(conversation=found, deleted_at=None), attached_to(found))
    return answer(
        item(found)
        | {
            "leaf": messages[-1]["id"] if messages else None,
            "batch": Batch.objects.filter(conversation=found).exists(),
            "messages": messages,
        }
    )


@api("POST")
def restore(request: HttpRequest, id: UUID) -> HttpResponse:
    """Undo a deletion."""
    (row,) = actions.do_restore(user_id(request), [id])
    tell_changed_from_thread(user_id(request), [id])
    return answer(item(row))


@api("POST")
def change_many(request: HttpRequest) -> HttpResponse:
    """Archive or file all that were picked, or none."""
    change = body(request, Filed)
    actions.do_file(user_id(request), change.ids, archived=change.archived, folder=change.folder)
    tell_changed_from_thread(user_id(request), change.ids[:1])
    return HttpResponse(status=204)


@api("POST")
def delete_many(request: HttpRequest) -> HttpResponse:
    """Delete all that were picked, or none."""
    ids = body(request, Chosen).ids
    actions.do_delete(user_id(request), ids)
    tell_changed_from_thread(user_id(request), ids[:1])
    return HttpResponse(status=204)


@api("POST")
def restore_many(request: HttpRequest) -> HttpResponse:
    """Undo a deletion of many."""
    rows = actions.do_restore(user_id(request), body(request, Chosen).ids)
    tell_changed_from_thread(user_id(request), [row.id for row in rows[:1]])
    return answer({"conversations": [item(row) for row in rows]})


def folders_of(owner: int) -> list[str]:
    """Names of this person's folders; a folder exists as long as something lies in it."""
    rows = visible_conversations(owner).filter(archived=False).exclude(folder="")
    return sorted(rows.order_by().values_list("folder", flat=True).distinct())


def item(row: Conversation) -> dict[str, Any]:
    """A conversation as the list shows it."""
    return {
        "id": str(row.id),
        "title": row.title,
        "updated_at": row.updated_at,
        "pinned": row.pinned,
        "archived": row.archived,
        "folder": row.folder,
        "temporary": row.temporary,
        "preset": str(row.preset_id) if row.preset_id else None,
    }


def _cursor(row: Conversation) -> str:
    return f"{int(row.pinned)}~{row.updated_at.isoformat()}~{row.id}"


def _after(cursor: str) -> Q:
    """Rows behind the cursor in the list's order. Raises Refusal `bad_frame`."""
    try:
        pinned, moment, id = cursor.split("~")
        at, last = datetime.fromisoformat(moment), UUID(id)
    except ValueError as problem:
        raise Refusal("bad_frame", "The cursor is not one that this list gave.") from problem
    behind = Q(updated_at__lt=at) | Q(updated_at=at, id__lt=last)
    same = Q(pinned=pinned == "1") & behind
    return same | Q(pinned=False) if pinned == "1" else same
