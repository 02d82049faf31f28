"""What people do with batches: begin, cancel, try again. Each is one transaction."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from chatsite.attachments.access import visible_attachments
from chatsite.attachments.chosen import Chosen
from chatsite.attachments.models import Attachment
from chatsite.batches.access import access_batch
from chatsite.batches.models import Batch, Item
from chatsite.conversations.models import Conversation, Naming, title_from
from chatsite.conversations.search import index_beginning
from chatsite.conversations.system_prompt import system_of
from chatsite.errors import Refusal
from chatsite.generations.content import MAX_CONTENT_CHARS, check_content
from chatsite.generations.models import ACTIVE, Generation, Status
from inference.request import Sampling

ENDED_BADLY = (Status.FAILED, Status.TIMED_OUT, Status.INTERRUPTED, Status.CANCELLED)


def do_begin_batch(
    user_id: int, instruction: str, chosen: Sequence[Chosen], preset: UUID | None, sampling: Sampling
) -> Batch:
    """A conversation for these documents; a worker asks for them one after the other. Raises Refusal."""
    check_content(instruction, MAX_CONTENT_CHARS)
    rows = _access_unsent(user_id, chosen)
    # Its instruction says what it is; a title made from one document's answer would mislead.
    home = Conversation(
        owner_id=user_id, title=title_from(instruction), preset_id=preset, naming=Naming.WORDS
    )
    home.system = system_of(user_id, preset)
    with transaction.atomic():
        home.save(force_insert=True)
        index_beginning(home, [])
        taken = Attachment.objects.filter(id__in=[row.id for row in rows], conversation=None)
        if taken.update(conversation=home) != len(rows):
            raise Refusal("not_found", "A document was sent elsewhere meanwhile. Attach it again.")
        batch = Batch(conversation=home, instruction=instruction, sampling=msgspec.to_builtins(sampling))
        batch.save(force_insert=True)
        Item.objects.bulk_create(
            Item(batch=batch, position=number, attachment=row, beginning=one.beginning, state=_state_of(row))
            for number, (row, one) in enumerate(zip(rows, chosen, strict=True))
        )
    return batch


def do_cancel_items(user_id: int, conversation: UUID, positions: Sequence[int] | None) -> list[UUID]:
    """Stop these items, or all: what waits is not asked, what runs is stopped. Returns whom to ring for."""
    items = _chosen_items(user_id, conversation, positions)
    with transaction.atomic():
        items.filter(state=Item.State.WAITING).update(state=Item.State.CANCELLED)
        active = Generation.objects.filter(
            id__in=items.filter(state=Item.State.SUBMITTED).values("generation"), status__in=ACTIVE
        )
        found = list(active.values_list("id", flat=True))
        active.update(cancel_requested=True)
    return found


def do_retry_items(user_id: int, conversation: UUID, positions: Sequence[int] | None) -> int:
    """Ask again for what was refused, cancelled or ended badly; returns how many wait again."""
    items = _chosen_items(user_id, conversation, positions)
    bad = Q(state__in=(Item.State.REFUSED, Item.State.CANCELLED)) | Q(
        state=Item.State.SUBMITTED, generation__status__in=ENDED_BADLY
    )
    lost = Q(state=Item.State.SUBMITTED, generation=None)
    count = 0
    with transaction.atomic():
        for id in items.filter(bad | lost).values_list("id", flat=True):
            count += Item.objects.filter(id=id).update(
                state=Item.State.WAITING, client_id=uuid.uuid4(), code="", message=""
            )
    return count


def _chosen_items(user_id: int, conversation: UUID, positions: Sequence[int] | None) -> QuerySet[Item]:
    items = Item.objects.filter(batch=access_batch(user_id, conversation))
    return items if positions is None else items.filter(position__in=positions)


def _access_unsent(user_id: int, chosen: Sequence[Chosen]) -> list[Attachment]:
    """Documents that were uploaded and belong to no conversation yet, unreadable ones too. Raises Refusal."""
    if not chosen:
        raise Refusal("empty", "A batch needs documents.")
    if len(chosen) > settings.MAX_BATCH:
        raise Refusal(
            "too_long",
            f"{len(chosen)} documents; a batch takes at most {settings.MAX_BATCH}. Make two of it.",
        )
    ids = [one.id for one in chosen]
    rows = visible_attachments(user_id).filter(conversation=None).in_bulk(ids)
    missing = len(rows) != len(set(ids)) or len(ids) != len(set(ids))
    if missing or any(row.status == Attachment.Status.UPLOADING for row in rows.values()):
        raise Refusal("not_found", "A document is no longer there, or not there yet. Attach it again.")
    return [rows[id] for id in ids]


def _state_of(row: Attachment) -> Item.State:
    return Item.State.WAITING if row.status == Attachment.Status.READY else Item.State.UNREADABLE
