"""The page's conversations over HTTP: list, open, rename, pin, delete, undo."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from django.db.models import Q
from django.http import HttpRequest, HttpResponse

from chatsite.conversations import actions
from chatsite.conversations.access import access_conversation, visible_conversations
from chatsite.conversations.models import Conversation, Message
from chatsite.errors import Refusal
from chatsite.generations.models import Generation
from chatsite.page.api import answer, api, body

PAGE = 50
"""Conversations in one page of the sidebar: more than two screens of it."""


class Change(msgspec.Struct, forbid_unknown_fields=True):
    """What a person may change; what is left out stays."""

    title: Annotated[str, msgspec.Meta(min_length=1, max_length=200)] | None = None
    pinned: bool | None = None


@api("GET")
def conversations(request: HttpRequest) -> HttpResponse:
    """A page of the list, newest first; `before` is the `next` of the page before. Pinned ones come first."""
    rows = visible_conversations(user_id(request)).order_by("-pinned", "-updated_at", "-id")
    if cursor := request.GET.get("before"):
        rows = rows.filter(_after(cursor))
    found = list(rows[: PAGE + 1])
    following = _cursor(found[PAGE - 1]) if len(found) > PAGE else None
    return answer({"conversations": [item(row) for row in found[:PAGE]], "next": following})


@api("GET", "PATCH", "DELETE")
def conversation(request: HttpRequest, id: UUID) -> HttpResponse:
    """One conversation: its whole tree, a change, or its deletion (to be undone for a minute)."""
    owner = user_id(request)
    if request.method == "PATCH":
        change = body(request, Change)
        return answer(item(actions.do_change(owner, id, title=change.title, pinned=change.pinned)))
    if request.method == "DELETE":
        actions.do_delete(owner, id)
        return HttpResponse(status=204)
    found = access_conversation(owner, id)
    messages = list(found.messages.order_by("created_at", "id"))
    jobs = {job.answer_id: job for job in found.generations.all()}
    return answer(
        item(found)
        | {
            "leaf": str(messages[-1].id) if messages else None,
            "messages": [message_item(message, jobs.get(message.id)) for message in messages],
        }
    )


@api("POST")
def restore(request: HttpRequest, id: UUID) -> HttpResponse:
    """Undo a deletion."""
    return answer(item(actions.do_restore(user_id(request), id)))


def item(row: Conversation) -> dict[str, Any]:
    """A conversation as the list shows it."""
    return {"id": str(row.id), "title": row.title, "updated_at": row.updated_at, "pinned": row.pinned}


def message_item(row: Message, job: Generation | None) -> dict[str, Any]:
    """A message with the generation that makes or made it. Text and seq are of one moment."""
    return {
        "id": str(row.id),
        "parent": str(row.parent_id) if row.parent_id else None,
        "role": row.role,
        "content": row.content,
        "reasoning": row.reasoning,
        "created_at": row.created_at,
        "generation": None if job is None else generation_item(job),
    }


def generation_item(job: Generation) -> dict[str, Any]:
    return {
        "id": str(job.id),
        "status": job.status,
        "seq": job.seq,
        "finish_reason": job.finish_reason or None,
        "message": job.message,
        "usage": job.usage,
    }


def user_id(request: HttpRequest) -> int:
    """The signed-in person; `api` has refused everybody else."""
    assert request.user.pk is not None
    return request.user.pk


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
