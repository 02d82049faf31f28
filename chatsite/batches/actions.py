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
from chatsite.attachments.chosen import AttachmentChoice
from chatsite.attachments.models import Attachment
from chatsite.batches.access import access_batch
from chatsite.batches.models import Batch, Item
from chatsite.conversations.content import MAX_CONTENT_CHARS, check_content
from chatsite.conversations.models import Conversation, TitleSource, title_from
from chatsite.conversations.search import index_new_conversation
from chatsite.conversations.system_prompt import system_prompt_of
from chatsite.database import lock_in_order
from chatsite.errors import Refusal
from chatsite.generations.cancel import do_stop
from chatsite.generations.models import ACTIVE, Generation, GenerationStatus
from inference.request import Sampling

ENDED_BADLY = (
    GenerationStatus.FAILED,
    GenerationStatus.TIMED_OUT,
    GenerationStatus.INTERRUPTED,
    GenerationStatus.CANCELLED,
)


def do_begin_batch(
    user_id: int,
    instruction: str,
    chosen: Sequence[AttachmentChoice],
    preset: UUID | None,
    sampling: Sampling,
) -> Batch:
    """A conversation for these documents; a worker asks for them one after the other. Raises Refusal."""
    check_content(instruction, MAX_CONTENT_CHARS)
    rows = _access_unsent(user_id, chosen)
    # Its instruction says what it is; a title made from one document's answer would mislead.
    home = Conversation(
        owner_id=user_id, title=title_from(instruction), preset_id=preset, naming=TitleSource.WORDS
    )
    home.system = system_prompt_of(user_id, preset)
    with transaction.atomic():
        home.save(force_insert=True)
        index_new_conversation(home, [])
        taken = lock_in_order(Attachment.objects.filter(id__in=[row.id for row in rows], conversation=None))
        if len(taken) != len(rows):
            raise Refusal("not_found", "A document was sent elsewhere meanwhile. Attach it again.")
        Attachment.objects.filter(id__in=taken).update(conversation=home)
        batch = Batch(conversation=home, instruction=instruction, sampling=msgspec.to_builtins(sampling))
        batch.save(force_insert=True)
        Item.objects.bulk_create(
            Item(batch=batch, position=number, attachment=row, beginning=one.beginning, state=_state_of(row))
            for number, (row, one) in enumerate(zip(rows, chosen, strict=True))
        )
    return batch


def do_cancel_items(user_id: int, conversation: UUID, positions: Sequence[int] | None) -> list[UUID]:
    """Stop these items, or all: waiting ones are not asked. Returns what the worker is to stop."""
    items = _chosen_items(user_id, conversation, positions)
    with transaction.atomic():
        waiting = lock_in_order(items.filter(state=Item.State.WAITING))
        Item.objects.filter(id__in=waiting).update(state=Item.State.CANCELLED)
        submitted = Generation.objects.filter(
            id__in=items.filter(state=Item.State.SUBMITTED).values("generation")
        )
        return do_stop(submitted)


def open_batches_of(user_id: int) -> QuerySet[Batch]:
    """This person's batches of which a document waits or is being answered, newest first."""
    running = Q(state=Item.State.SUBMITTED, generation__status__in=ACTIVE, generation__cancel_requested=False)
    items = Item.objects.filter(Q(state=Item.State.WAITING) | running)
    rows = Batch.objects.filter(conversation__owner_id=user_id, conversation__deleted_at=None)
    return rows.filter(pk__in=items.values("batch")).select_related("conversation").order_by("-created_at")


def do_cancel_batches(user_id: int) -> list[UUID]:
    """Stop all of them. Returns what the worker is to stop."""
    stopped: list[UUID] = []
    with transaction.atomic():
        for batch in list(open_batches_of(user_id)):
            stopped += do_cancel_items(user_id, batch.pk, None)
    return stopped


def do_retry_items(user_id: int, conversation: UUID, positions: Sequence[int] | None) -> int:
    """Ask again for what was refused, cancelled or ended badly; returns how many wait again."""
    items = _chosen_items(user_id, conversation, positions)
    bad = Q(state__in=(Item.State.REFUSED, Item.State.CANCELLED)) | Q(
        state=Item.State.SUBMITTED, generation__status__in=ENDED_BADLY
    )
    lost = Q(state=Item.State.SUBMITTED, generation=None)
    count = 0
    with transaction.atomic():
        for id in items.filter(bad | lost).order_by("id").values_list("id", flat=True):
            count += Item.objects.filter(id=id).update(
                state=Item.State.WAITING, client_id=uuid.uuid4(), code="", message=""
            )
    return count


def _chosen_items(user_id: int, conversation: UUID, positions: Sequence[int] | None) -> QuerySet[Item]:
    items = Item.objects.filter(batch=access_batch(user_id, conversation))
    return items if positions is None else items.filter(position__in=positions)


def _access_unsent(user_id: int, chosen: Sequence[AttachmentChoice]) -> list[Attachment]:
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
