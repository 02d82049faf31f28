"""Single messages over HTTP: an answer in one's own words, thumbs, deletion and its undoing."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

import msgspec
from django.http import HttpRequest, HttpResponse

from chatsite.batches.access import check_deletable
from chatsite.conversations.access import access_message
from chatsite.conversations.messages import (
    do_delete_message,
    do_edit_answer,
    do_rate,
    do_restore_message,
)
from chatsite.conversations.models import Message
from chatsite.conversations.news import tell_changed_from_thread
from chatsite.generations.content import MAX_CONTENT_CHARS, check_characters, check_content
from chatsite.json_api import answer, api, body, user_id
from chatsite.page.message_items import message_items

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
def edit(request: HttpRequest, id: UUID) -> HttpResponse:
    """A sibling of the answer."""
    content = check_content(body(request, Words).content, MAX_CONTENT_CHARS)
    edited = do_edit_answer(user_id(request), id, content)
    tell_changed_from_thread(user_id(request), [edited.conversation_id])
    return answer(message_items(Message.objects.filter(id=edited.id))[0], 201)


@api("DELETE")
def message(request: HttpRequest, id: UUID) -> HttpResponse:
    """Delete it with all that follows it, to be undone for a minute; answers how many went."""
    owner = user_id(request)
    row = access_message(owner, id)
    check_deletable(row)
    gone = do_delete_message(owner, id)
    tell_changed_from_thread(owner, [row.conversation_id])
    return answer({"count": len(gone)})


@api("POST")
def restore(request: HttpRequest, id: UUID) -> HttpResponse:
    """Undo a deletion."""
    owner = user_id(request)
    row = do_restore_message(owner, id)
    tell_changed_from_thread(owner, [row.conversation_id])
    return HttpResponse(status=204)


@api("PUT")
def feedback(request: HttpRequest, id: UUID) -> HttpResponse:
    """Say what one thinks of an answer."""
    rating = body(request, Rating)
    check_characters(rating.comment, MAX_COMMENT_CHARS)
    do_rate(user_id(request), id, rating.value, rating.comment)
    return HttpResponse(status=204)
