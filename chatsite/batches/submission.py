"""From waiting items to generations, as there is room: what a worker does for batches.

A batch never fails on a full queue or a spent budget; it waits. Of one person's items only a few are queued
at once, so that their own questions keep their places; and everybody's questions go before, since batch
items are heavy (inference/scheduling/classify.py).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

import msgspec
from django.conf import settings
from django.db.models import Count, F, Window
from django.db.models.functions import RowNumber

from chatsite.attachments.chosen import AttachmentChoice
from chatsite.batches.models import Batch, Item
from chatsite.errors import Refusal
from chatsite.generations.models import ACTIVE, Generation
from chatsite.generations.submit import Ask, Submitted, do_regenerate, do_submit
from chatsite.quotas.plans import EffectiveLimits, limits_of_each
from inference.request import Sampling

IN_LINE = 8
"""Items of one person queued or running at once: enough for the engine to batch, a queue that stays short."""

PASSING = frozenset({"queue_full", "rate_limited", "engine_unavailable", "storage_full", "quota_exceeded"})
"""Refusals that time mends."""

Outcome = Literal["submitted", "held", "refused", "gone"]


@dataclass(frozen=True)
class DueItem:
    """An item whose turn it is."""

    id: int
    user: int
    conversation: UUID


def due_items(held: Collection[int] = ()) -> list[DueItem]:
    """The items that have room in the queue, oldest batch first, each person's few; none of those in `held`.

    Chosen for each person apart: however much one has waiting, it hides nothing of the others'.
    """
    of_person = Window(
        RowNumber(),
        partition_by=F("batch__conversation__owner"),
        order_by=["batch__created_at", "position"],
    )
    waiting = list(
        Item.objects.filter(
            state=Item.State.WAITING,
            batch__conversation__deleted_at=None,
            batch__conversation__owner__is_active=True,
        )
        .exclude(batch__conversation__owner__in=held)
        .annotate(of_person=of_person)
        .filter(of_person__lte=IN_LINE)
        .order_by("batch__created_at", "position")
        .values_list("id", "batch__conversation__owner", "batch")
    )
    if not waiting:
        return []
    room = _room_of({user for _, user, _ in waiting})
    due = []
    for id, user, conversation in waiting:
        if room[user] > 0:
            room[user] -= 1
            due.append(DueItem(id, user, conversation))
    return due


def submit_item(due: DueItem, context_tokens: int, retry_after_s: float | None, model: str = "") -> Outcome:
    """Submit one item, or refuse it for good, or leave it waiting. `model` is the one that would answer."""
    item = Item.objects.select_related("batch__conversation", "generation__answer").filter(id=due.id).first()
    if item is None or item.state != Item.State.WAITING:
        return "gone"
    ask = Ask(
        user=due.user,
        client_id=item.client_id,
        sampling=msgspec.convert(item.batch.sampling, Sampling),
        context_tokens=context_tokens,
        model=model,
        retry_after_s=retry_after_s,
        batch=True,
    )
    try:
        done = _ask(ask, item)
    except Refusal as refusal:
        return _hold_back(item, refusal)
    if not _mark(item, state=Item.State.SUBMITTED, generation=done.generation):
        # Cancelled in this very moment: nobody waits for the answer.
        Generation.objects.filter(id=done.generation, status__in=ACTIVE).update(cancel_requested=True)
    Batch.objects.filter(pk=item.batch_id).exclude(waits_for="").update(waits_for="")
    return "submitted"


def _ask(ask: Ask, item: Item) -> Submitted:
    """A question of its own, or a new answer to the one that was asked before."""
    before = item.generation
    if before is not None and before.answer.parent_id is not None:
        return do_regenerate(ask, before.answer.parent_id)
    chosen = [AttachmentChoice(item.attachment_id, item.beginning)]
    return do_submit(ask, item.batch.instruction, item.batch_id, None, documents=chosen)


def _hold_back(item: Item, refusal: Refusal) -> Outcome:
    if refusal.code in PASSING:
        Batch.objects.filter(pk=item.batch_id).update(waits_for=refusal.code)
        return "held"
    _mark(item, state=Item.State.REFUSED, code=refusal.code, message=refusal.message)
    return "refused"


def _mark(item: Item, **fields: object) -> bool:
    """Only what still waits with this client id: it may have been cancelled meanwhile."""
    held = Item.objects.filter(id=item.id, state=Item.State.WAITING, client_id=item.client_id)
    return bool(held.update(**fields))


def _room_of(users: set[int]) -> dict[int, int]:
    active = dict(
        Generation.objects.filter(user__in=users, batch=True, api_key=None, status__in=ACTIVE)
        .values_list("user")
        .annotate(count=Count("id"))
    )
    return {user: _places(limits) - active.get(user, 0) for user, limits in limits_of_each(users).items()}


def _places(limits: EffectiveLimits) -> int:
    """Half of a person's places at most: the rest is theirs to ask with."""
    places = limits.max_active or settings.MAX_ACTIVE_PER_USER
    return min(IN_LINE, max(1, places // 2))
