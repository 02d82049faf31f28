"""Single messages over HTTP: edit an answer, rate it, delete, undo."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

import msgspec
from django.http import HttpRequest, HttpResponse

from chatsite.api.message_items import message_items
from chatsite.batches.access import check_deletable
from chatsite.conversations.access import access_message
from chatsite.conversations.change_events import notify_changed_from_thread
from chatsite.conversations.content import MAX_CONTENT_CHARS, check_characters, check_content
from chatsite.conversations.messages import (
    do_delete_message,
    do_edit_answer,
    do_restore_message,
    do_set_feedback,
)
from chatsite.conversations.models import Message
from chatsite.json_view import api, json_response, parse_body, user_id

MAX_COMMENT_CHARS = 2_000
"""Of feedback: some paragraphs."""


class Words(msgspec.Struct, forbid_unknown_fields=True):
    """An answer as the person wants it to read."""

    content: str


class Rating(msgspec.Struct, forbid_unknown_fields=True):
    """Thumbs: up 1, down -1, neither 0; and why."""

    value: Literal[-1, 0, 1]
    comment: Annotated[str, msgspec.Meta(max_length=MAX_COMMENT_CHARS)] = ""


@api("POST")
def edit_message(request: HttpRequest, id: UUID) -> HttpResponse:
    """A sibling of the answer."""
    content = check_content(parse_body(request, Words).content, MAX_CONTENT_CHARS)
    edited = do_edit_answer(user_id(request), id, content)
    notify_changed_from_thread(user_id(request), [edited.conversation_id])
    return json_response(message_items(Message.objects.filter(id=edited.id))[0], 201)


@api("DELETE")
def message(request: HttpRequest, id: UUID) -> HttpResponse:
    """Delete it with all that follows it, to be undone for a minute; answers how many went."""
    owner = user_id(request)
    row = access_message(owner, id)
    check_deletable(row)
    gone = do_delete_message(owner, id)
    notify_changed_from_thread(owner, [row.conversation_id])
    return json_response({"count": len(gone)})


@api("POST")
def restore_message(request: HttpRequest, id: UUID) -> HttpResponse:
    """Undo a deletion."""
    owner = user_id(request)
    row = do_restore_message(owner, id)
    notify_changed_from_thread(owner, [row.conversation_id])
    return HttpResponse(status=204)


@api("PUT")
def feedback(request: HttpRequest, id: UUID) -> HttpResponse:
    """Say what one thinks of an answer."""
    rating = parse_body(request, Rating)
    check_characters(rating.comment, MAX_COMMENT_CHARS)
    do_set_feedback(user_id(request), id, rating.value, rating.comment)
    return HttpResponse(status=204)
