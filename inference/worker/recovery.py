"""Recovery: generations that a former owner left running are ended or requeued, before anything new starts.

A row without output goes back to its position in the queue. One with text is kept as interrupted, with every
word that the stream log still holds. Readers that still wait get its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta

import structlog
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from chatsite.database import lock_in_order, read, write
from chatsite.generations.models import Generation, GenerationStatus
from inference.dispatch.store import Outcome
from inference.request import Usage
from inference.stream_log.base import Delta, Event, Finished, GapError, Snapshot, StreamLog
from inference.worker.recorder import Recorder

log = structlog.get_logger(__name__)

MAX_ATTEMPTS = 2
"""A question that was running when two owners died may be what kills them."""

READ_TRIES, READ_PAUSE_S = 5, 0.5
"""A Redis that starts together with this process answers within seconds; one that lost the log never will."""

INTERRUPTED = "The server was restarted while this answer was being written. What was made is kept."
POISONED = "The engine stopped twice while working on this question. Try a shorter or different one."


async def recover(recorder: Recorder, stream_log: StreamLog) -> int:
    """End or requeue everything that runs under another epoch; returns how many rows that were."""
    return await _recover(recorder, stream_log, await read(_left_behind, recorder.epoch))


async def reap(recorder: Recorder, stream_log: StreamLog, known: frozenset[str], stale_s: float) -> int:
    """The reaper: end running rows of this epoch, not `known`, without a heartbeat for `stale_s` seconds."""
    return await _recover(recorder, stream_log, await read(_stale, recorder.epoch, known, stale_s))


async def stop_erased(known: frozenset[str], cancel: Callable[[str], object]) -> None:
    """Cancel generations whose rows were erased meanwhile. `known`: those in the dispatcher's hands."""
    for generation in await read(_erased, known):
        cancel(generation)


async def _recover(recorder: Recorder, stream_log: StreamLog, rows: Sequence[Generation]) -> int:
    outcomes = []
    answers = await asyncio.gather(*(_collect(stream_log, row, recorder.epoch) for row in rows))
    for row, (text, reasoning, seq, tokens) in zip(rows, answers, strict=True):
        if seq == 0 and row.attempt < MAX_ATTEMPTS and not row.cancel_requested:
            await write(_requeue, row)
            continue
        outcomes.append(_outcome(row, text, reasoning, seq, tokens))
    await write(_take_over, outcomes, recorder.epoch)
    written = await recorder.finish(outcomes)
    await _publish_ends(stream_log, list(written.values()), recorder.epoch)
    if rows:
        log.warning("recovered", rows=len(rows), interrupted=len(written))
    return len(rows)


def _left_behind(epoch: int) -> list[Generation]:
    rows = Generation.objects.filter(status=GenerationStatus.RUNNING).exclude(epoch=epoch)
    return list(rows.select_related("answer"))


def _stale(epoch: int, known: frozenset[str], stale_s: float) -> list[Generation]:
    before = timezone.now() - timedelta(seconds=stale_s)
    silent = Q(heartbeat_at__lt=before) | Q(heartbeat_at=None)
    rows = Generation.objects.filter(silent, status=GenerationStatus.RUNNING, epoch=epoch).select_related(
        "answer"
    )
    return [row for row in rows if str(row.id) not in known]


def _erased(known: frozenset[str]) -> set[str]:
    there = Generation.objects.filter(id__in=known).values_list("id", flat=True)
    return set(known) - set(map(str, there))


def _requeue(row: Generation) -> None:
    Generation.objects.filter(id=row.id, status=GenerationStatus.RUNNING, epoch=row.epoch).update(
        status=GenerationStatus.QUEUED
    )


def _take_over(outcomes: Sequence[Outcome], epoch: int) -> None:
    """These rows are this epoch's now, so that the recorder may end them."""
    ids = [outcome.generation for outcome in outcomes]
    with transaction.atomic():
        running = lock_in_order(Generation.objects.filter(id__in=ids, status=GenerationStatus.RUNNING))
        Generation.objects.filter(id__in=running).update(epoch=epoch)


async def _collect(stream_log: StreamLog, row: Generation, epoch: int) -> tuple[str, str, int, int]:
    """Text, reasoning, seq and tokens: the row's, and whatever the log holds beyond it."""
    text, reasoning, seq = row.answer.content, row.answer.reasoning, row.seq
    tokens = row.completion_tokens
    for event in await _read_log(stream_log, str(row.id), seq, epoch):
        match event:
            case Delta():
                text, reasoning = text + event.text, reasoning + event.reasoning
                seq, tokens = event.seq, event.tokens
            case Snapshot():
                text, reasoning, seq, tokens = event.text, event.reasoning, event.seq, event.tokens
    return text, reasoning, seq, tokens


async def _read_log(stream_log: StreamLog, generation: str, after: int, epoch: int) -> list[Event]:
    """The events that the log still holds. A failed read is tried again: readers have seen its text.

    The log is fenced first. A former owner that still lives, cut off from the database alone, would else add
    text behind what is read here: its readers would see what is kept nowhere.
    """
    for number in range(READ_TRIES if stream_log.outlives_process else 1):
        await asyncio.sleep(READ_PAUSE_S if number else 0)
        with suppress(GapError, OSError):
            await stream_log.append([], epoch=epoch)
            return await stream_log.read(generation, after)
    return []


def _outcome(row: Generation, text: str, reasoning: str, seq: int, tokens: int) -> Outcome:
    poisoned = seq == 0 and not row.cancel_requested
    return Outcome(
        generation=str(row.id),
        attempt=row.attempt,
        status="failed" if poisoned else "cancelled" if row.cancel_requested else "interrupted",
        finish_reason="error" if poisoned else "cancelled" if row.cancel_requested else "interrupted",
        text=text,
        reasoning=reasoning,
        seq=seq,
        usage=Usage(prompt_tokens=row.prompt_tokens, completion_tokens=tokens),
        fault=None if row.cancel_requested else "server",
        message=POISONED if poisoned else "" if row.cancel_requested else INTERRUPTED,
    )


async def _publish_ends(stream_log: StreamLog, outcomes: Sequence[Outcome], epoch: int) -> None:
    last = [
        (o.generation, Finished(o.seq + 1, o.finish_reason, o.usage, o.message, o.fault)) for o in outcomes
    ]
    lost = await stream_log.append(last, epoch=epoch)
    again = {o.generation: o for o in outcomes if o.generation in lost}
    seeds = [(id, Snapshot(o.seq, o.text, o.reasoning, o.usage.completion_tokens)) for id, o in again.items()]
    await stream_log.append([*seeds, *((id, event) for id, event in last if id in again)], epoch=epoch)
