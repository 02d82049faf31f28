"""Batches over HTTP: begin, show, cancel, retry, download the results."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from asgiref.sync import async_to_sync
from django.http import HttpRequest, HttpResponse

from chatsite.api.attachments import attachment_item
from chatsite.api.shapes import BatchItem, BatchRow
from chatsite.attachments.chosen import AttachmentChoice
from chatsite.attachments.reading.unreadable import UnreadableError
from chatsite.batches.access import access_batch
from chatsite.batches.actions import do_begin_batch, do_cancel_items, do_retry_items
from chatsite.batches.models import Batch, Item
from chatsite.batches.results import BatchResult, as_csv, as_json, as_markdown
from chatsite.conversations.change_events import notify_changed_from_thread
from chatsite.generations.wakeup import notify_worker
from chatsite.json_view import api, json_response, parse_body, user_id
from chatsite.quotas.plans import check_feature, limits_of
from chatsite.ratelimit import check_rate
from chatsite.server.backpressure import save_as
from chatsite.server.client_address import address_of_request
from inference.request import MaxTokens, Sampling


class NewBatch(msgspec.Struct, forbid_unknown_fields=True):
    """One instruction for all documents."""

    instruction: str
    attachments: list[AttachmentChoice]
    preset: UUID | None = None
    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None
    max_tokens: MaxTokens | None = None


Position = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
"""Of an item in its batch: what the database's column holds."""


class Which(msgspec.Struct, forbid_unknown_fields=True):
    """Positions of items; left out: all."""

    items: Annotated[list[Position], msgspec.Meta(max_length=1_000)] | None = None


@api("POST")
def begin_batch(request: HttpRequest) -> HttpResponse:
    """A batch is a conversation; its id is the batch's. Counts as one question for the rate limit."""
    owner, new = user_id(request), parse_body(request, NewBatch)
    limits = limits_of(owner)
    check_feature(limits, "batch")
    check_rate(
        owner,
        is_staff=getattr(request.user, "is_staff", False),
        per_minute=limits.requests_per_minute,
        address=address_of_request(request),
    )
    chosen = {name: getattr(new, name) for name in ("temperature", "top_p", "max_tokens")}
    sampling = Sampling(**{name: value for name, value in chosen.items() if value is not None})
    batch = do_begin_batch(owner, new.instruction, new.attachments, new.preset, sampling)
    notify_changed_from_thread(owner, [batch.pk])
    return json_response(batch_item(batch), 201)


@api("GET")
def batch(request: HttpRequest, id: UUID) -> HttpResponse:
    """How it stands, document by document."""
    return json_response(batch_item(access_batch(user_id(request), id)))


@api("POST")
def cancel_batch(request: HttpRequest, id: UUID) -> HttpResponse:
    """Stop some items or all."""
    stopped = do_cancel_items(user_id(request), id, parse_body(request, Which).items)
    for generation in stopped[:1]:  # one wakeup is enough: the rows say which
        async_to_sync(notify_worker)("cancelled", generation)
    return json_response(batch_item(access_batch(user_id(request), id)))


@api("POST")
def retry_batch(request: HttpRequest, id: UUID) -> HttpResponse:
    """Ask again for what has no answer."""
    do_retry_items(user_id(request), id, parse_body(request, Which).items)
    return json_response(batch_item(access_batch(user_id(request), id)))


FORMATS = {
    "md": ("text/markdown", as_markdown),
    "json": ("application/json", as_json),
    "csv": ("text/csv", as_csv),
}


@api("GET")
def batch_results(request: HttpRequest, id: UUID, form: str) -> HttpResponse:
    """All results in one file."""
    found = access_batch(user_id(request), id)
    kind, write = FORMATS[form]
    text = write(found.instruction, [_result(item) for item in _items(found)])
    response = HttpResponse(text, content_type=f"{kind}; charset=utf-8")
    name = f"{found.conversation.title}.{form}"
    save_as(response, name)
    return response


def batch_item(found: Batch) -> BatchItem:
    return {
        "id": str(found.pk),
        "instruction": found.instruction,
        "waits_for": found.waits_for or None,
        "items": [batch_item_row(item) for item in _items(found)],
    }


def batch_item_row(item: Item) -> BatchRow:
    """A document's row: `status` is its own state, or that of its generation once it has one."""
    job = item.generation
    return {
        "position": item.position,
        "document": attachment_item(item.attachment),
        "status": item_status(item),
        "code": item.code or None,
        "message": item.message,
        "question": str(job.answer.parent_id) if job else None,
        "answer": str(job.answer_id) if job else None,
        "generation": str(job.id) if job else None,
    }


def item_status(item: Item) -> str:
    """`waiting`, `refused`, `cancelled`, `unreadable`, or the generation's status."""
    if item.state == Item.State.SUBMITTED and item.generation is not None:
        return str(item.generation.status)
    return str(item.state)


def _items(found: Batch) -> list[Item]:
    rows = found.items.select_related("attachment", "generation__answer").defer("attachment__text")
    return list(rows.order_by("position"))


def _result(item: Item) -> BatchResult:
    row, job = item.attachment, item.generation
    error = item.message or (job.message if job else "")
    if row.reason:
        error = str(UnreadableError(row.reason, **row.figures))
    return BatchResult(row.name, item_status(item), job.answer.content if job else "", error)
