"""The page's conversations over HTTP: list, open, rename, pin, delete, undo."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import msgspec
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from chatsite.api.opened import opened_response
from chatsite.api.shapes import ConversationItem, ConversationPage, OpenedConversation
from chatsite.attachments.access import attached_to
from chatsite.batches.models import Batch
from chatsite.conversations import actions
from chatsite.conversations.access import access_conversation, visible_conversations
from chatsite.conversations.change_events import notify_changed_from_thread
from chatsite.conversations.content import check_characters
from chatsite.conversations.models import Conversation, Message
from chatsite.errors import Refusal
from chatsite.generations.delete import do_delete_and_stop
from chatsite.json_view import api, json_response, parse_body, parse_query_string, user_id

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


class Listing(msgspec.Struct, forbid_unknown_fields=True):
    """Which part of the list; `before` is the `next` of the page before."""

    archived: bool = False
    folder: str = ""
    before: str = ""


@api("GET")
def conversations(request: HttpRequest) -> HttpResponse:
    """A page of the list, newest first; `before` is the `next` of the page before. Pinned ones come first.

    `folder` and `archived=1` narrow it; archived ones are listed only where they are asked for.
    """
    rows = visible_conversations(user_id(request)).filter(temporary=False)
    asked = parse_query_string(request, Listing)
    rows = rows.filter(archived=asked.archived)
    if asked.folder:
        rows = rows.filter(folder=check_characters(asked.folder, MAX_FOLDER_CHARS))
    rows = rows.order_by("-pinned", "-updated_at", "-id")
    if cursor := asked.before:
        rows = rows.filter(_after(cursor))
    found = list(rows[: PAGE + 1])
    following = _cursor(found[PAGE - 1]) if len(found) > PAGE else None
    page: ConversationPage = {
        "conversations": [conversation_item(row) for row in found[:PAGE]],
        "next": following,
    }
    if not cursor:
        page["folders"] = folders_of(user_id(request))
    return json_response(page)


@api("GET", "PATCH", "DELETE")
def conversation(request: HttpRequest, id: UUID) -> HttpResponseBase:
    """One conversation: its whole tree, a change, or its deletion (to be undone for a minute)."""
    owner = user_id(request)
    if request.method == "PATCH":
        change = parse_body(request, Change)
        changed = conversation_item(
            actions.do_update_conversation(owner, id, **msgspec.structs.asdict(change))
        )
        notify_changed_from_thread(owner, [id])
        return json_response(changed)
    if request.method == "DELETE":
        do_delete_and_stop(owner, [id])
        return HttpResponse(status=204)
    found = access_conversation(owner, id)
    opened: OpenedConversation = {
        **conversation_item(found),
        "leaf": None,
        "batch": Batch.objects.filter(conversation=found).exists(),
        "messages": [],
    }
    return opened_response(
        owner, opened, Message.objects.filter(conversation=found, deleted_at=None), attached_to(found)
    )


@api("POST")
def restore_conversation(request: HttpRequest, id: UUID) -> HttpResponse:
    """Undo a deletion."""
    (row,) = actions.do_restore_conversations(user_id(request), [id])
    notify_changed_from_thread(user_id(request), [id])
    return json_response(conversation_item(row))


@api("POST")
def change_many(request: HttpRequest) -> HttpResponse:
    """Archive or file all that were picked, or none."""
    change = parse_body(request, Filed)
    actions.do_move_conversations(
        user_id(request), change.ids, archived=change.archived, folder=change.folder
    )
    notify_changed_from_thread(user_id(request), change.ids[:1])
    return HttpResponse(status=204)


@api("POST")
def delete_many(request: HttpRequest) -> HttpResponse:
    """Delete all that were picked, or none."""
    do_delete_and_stop(user_id(request), parse_body(request, Chosen).ids)
    return HttpResponse(status=204)


@api("POST")
def restore_many(request: HttpRequest) -> HttpResponse:
    """Undo a deletion of many."""
    rows = actions.do_restore_conversations(user_id(request), parse_body(request, Chosen).ids)
    notify_changed_from_thread(user_id(request), [row.id for row in rows[:1]])
    return json_response({"conversations": [conversation_item(row) for row in rows]})


def folders_of(owner: int) -> list[str]:
    """Names of this person's folders; a folder exists as long as something lies in it."""
    rows = visible_conversations(owner).filter(archived=False).exclude(folder="")
    return sorted(rows.order_by().values_list("folder", flat=True).distinct())


def conversation_item(row: Conversation) -> ConversationItem:
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
        at, last = datetime.fromisoformat(moment).astimezone(UTC), UUID(id)
    except (ValueError, OverflowError) as problem:
        raise Refusal("bad_frame", "The cursor is not one that this list gave.") from problem
    behind = Q(updated_at__lt=at) | Q(updated_at=at, id__lt=last)
    same = Q(pinned=pinned == "1") & behind
    return same | Q(pinned=False) if pinned == "1" else same
