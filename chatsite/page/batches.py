"""Batches over HTTP: begin, look, cancel, try again, take the results away."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import msgspec
from asgiref.sync import async_to_sync
from django.http import HttpRequest, HttpResponse

from chatsite.address import address_of_request
from chatsite.attachments.chosen import Chosen
from chatsite.attachments.reading.unreadable import UnreadableError
from chatsite.batches.access import access_batch
from chatsite.batches.actions import do_begin_batch, do_cancel_items, do_retry_items
from chatsite.batches.models import Batch, Item
from chatsite.batches.results import Result, as_csv, as_json, as_markdown
from chatsite.conversations.news import tell_changed_from_thread
from chatsite.flow import save_as
from chatsite.generations.doorbell import ring
from chatsite.json_api import answer, api, body, user_id
from chatsite.page.attachments import attachment_item
from chatsite.quotas.features import check_feature
from chatsite.quotas.terms import terms_of
from chatsite.ratelimit import check_rate
from inference.request import Sampling


class NewBatch(msgspec.Struct, forbid_unknown_fields=True):
    """One instruction for all documents."""

    instruction: str
    attachments: list[Chosen]
    preset: UUID | None = None
    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None
    max_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None


class Which(msgspec.Struct, forbid_unknown_fields=True):
    """Positions of items; left out: all."""

    items: Annotated[list[int], msgspec.Meta(max_length=1_000)] | None = None


@api("POST")
def begin(request: HttpRequest) -> HttpResponse:
    """A batch is a conversation; its id is the batch's. Counts as one question for the rate limit."""
    owner, new = user_id(request), body(request, NewBatch)
    terms = terms_of(owner)
    check_feature(terms, "batch")
    check_rate(
        owner,
        is_staff=getattr(request.user, "is_staff", False),
        per_minute=terms.requests_per_minute,
        address=address_of_request(request),
    )
    chosen = {name: getattr(new, name) for name in ("temperature", "top_p", "max_tokens")}
    sampling = Sampling(**{name: value for name, value in chosen.items() if value is not None})
    batch = do_begin_batch(owner, new.instruction, new.attachments, new.preset, sampling)
    tell_changed_from_thread(owner, [batch.pk])
    return answer(batch_item(batch), 201)


@api("GET")
def batch(request: HttpRequest, id: UUID) -> HttpResponse:
    """How it stands, document by document."""
    return answer(batch_item(access_batch(user_id(request), id)))


@api("POST")
def cancel(request: HttpRequest, id: UUID) -> HttpResponse:
    """Stop some items or all."""
    stopped = do_cancel_items(user_id(request), id, body(request, Which).items)
    for generation in stopped[:1]:  # one ring is enough: the rows say which
        async_to_sync(ring)("cancelled", generation)
    return answer(batch_item(access_batch(user_id(request), id)))


@api("POST")
def retry(request: HttpRequest, id: UUID) -> HttpResponse:
    """Ask again for what has no answer."""
    do_retry_items(user_id(request), id, body(request, Which).items)
    return answer(batch_item(access_batch(user_id(request), id)))


FORMATS = {
    "md": ("text/markdown", as_markdown),
    "json": ("application/json", as_json),
    "csv": ("text/csv", as_csv),
}


@api("GET")
def results(request: HttpRequest, id: UUID, form: str) -> HttpResponse:
    """All results in one file."""
    found = access_batch(user_id(request), id)
    kind, write = FORMATS[form]
    text = write(found.instruction, [_result(item) for item in _items(found)])
    response = HttpResponse(text, content_type=f"{kind}; charset=utf-8")
    name = f"{found.conversation.title}.{form}"
    save_as(response, name)
    return response


def batch_item(found: Batch) -> dict[str, Any]:
    return {
        "id": str(found.pk),
        "instruction": found.instruction,
        "waits_for": found.waits_for or None,
        "items": [item_of(item) for item in _items(found)],
    }


def item_of(item: Item) -> dict[str, Any]:
    """A document's row: `status` is its own state, or that of its generation once it has one."""
    job = item.generation
    return {
        "position": item.position,
        "document": attachment_item(item.attachment),
        "status": status_of(item),
        "code": item.code or None,
        "message": item.message,
        "question": str(job.answer.parent_id) if job else None,
        "answer": str(job.answer_id) if job else None,
        "generation": str(job.id) if job else None,
    }


def status_of(item: Item) -> str:
    """`waiting`, `refused`, `cancelled`, `unreadable`, or the generation's status."""
    if item.state == Item.State.SUBMITTED and item.generation is not None:
        return str(item.generation.status)
    return str(item.state)


def _items(found: Batch) -> list[Item]:
    rows = found.items.select_related("attachment", "generation__answer").defer("attachment__text")
    return list(rows.order_by("position"))


def _result(item: Item) -> Result:
    row, job = item.attachment, item.generation
    error = item.message or (job.message if job else "")
    if row.reason:
        error = str(UnreadableError(row.reason, **row.figures))
    return Result(row.name, status_of(item), job.answer.content if job else "", error)
