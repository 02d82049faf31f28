"""Recovery: what an owner before left running is ended or put back in line, before anything new starts.

A row that had shown nothing goes back to its place. One with text is kept as interrupted, with every
word that the stream log still holds. Readers that still wait are told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta

import structlog
from django.db.models import Q
from django.utils import timezone

from chatsite.database import read, write
from chatsite.generations.models import Generation, Status
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
    """End rows of this epoch that run without anyone running them: no heartbeat for `stale_s` seconds."""
    return await _recover(recorder, stream_log, await read(_stale, recorder.epoch, known, stale_s))


async def stop_erased(known: frozenset[str], cancel: Callable[[str], object]) -> None:
    """Stop what was erased while it was answered: nobody can read it any more. `known`: the dispatcher's."""
    for generation in await read(_erased, known):
        cancel(generation)


async def _recover(recorder: Recorder, stream_log: StreamLog, jobs: Sequence[Generation]) -> int:
    outcomes = []
    held = await asyncio.gather(*(_last_words(stream_log, job) for job in jobs))
    for job, (text, reasoning, seq, tokens) in zip(jobs, held, strict=True):
        if seq == 0 and job.attempt < MAX_ATTEMPTS and not job.cancel_requested:
            await write(_requeue, job)
            continue
        outcomes.append(_outcome(job, text, reasoning, seq, tokens))
    await write(_take_over, outcomes, recorder.epoch)
    written = await recorder.finish(outcomes)
    await _tell_readers(stream_log, list(written.values()), recorder.epoch)
    if jobs:
        log.warning("recovered", rows=len(jobs), interrupted=len(written))
    return len(jobs)


def _left_behind(epoch: int) -> list[Generation]:
    rows = Generation.objects.filter(status=Status.RUNNING).exclude(epoch=epoch)
    return list(rows.select_related("answer"))


def _stale(epoch: int, known: frozenset[str], stale_s: float) -> list[Generation]:
    before = timezone.now() - timedelta(seconds=stale_s)
    silent = Q(heartbeat_at__lt=before) | Q(heartbeat_at=None)
    rows = Generation.objects.filter(silent, status=Status.RUNNING, epoch=epoch).select_related("answer")
    return [row for row in rows if str(row.id) not in known]


def _erased(known: frozenset[str]) -> set[str]:
    there = Generation.objects.filter(id__in=known).values_list("id", flat=True)
    return set(known) - set(map(str, there))


def _requeue(job: Generation) -> None:
    Generation.objects.filter(id=job.id, status=Status.RUNNING, epoch=job.epoch).update(status=Status.QUEUED)


def _take_over(outcomes: Sequence[Outcome], epoch: int) -> None:
    """These rows are this epoch's now, so that the recorder may end them."""
    ids = [outcome.generation for outcome in outcomes]
    Generation.objects.filter(id__in=ids, status=Status.RUNNING).update(epoch=epoch)


async def _last_words(stream_log: StreamLog, job: Generation) -> tuple[str, str, int, int]:
    """Text, reasoning, seq and tokens: the row's, and whatever the log holds beyond it."""
    text, reasoning, seq = job.answer.content, job.answer.reasoning, job.seq
    tokens = job.completion_tokens
    for event in await _held(stream_log, str(job.id), seq):
        match event:
            case Delta():
                text, reasoning = text + event.text, reasoning + event.reasoning
                seq, tokens = event.seq, event.tokens
            case Snapshot():
                text, reasoning, seq, tokens = event.text, event.reasoning, event.seq, event.tokens
    return text, reasoning, seq, tokens


async def _held(stream_log: StreamLog, generation: str, after: int) -> list[Event]:
    """What the log still holds. A log that cannot be read now is tried again: readers have seen its text."""
    for number in range(READ_TRIES if stream_log.outlives_process else 1):
        await asyncio.sleep(READ_PAUSE_S if number else 0)
        with suppress(GapError, OSError):
            return await stream_log.read(generation, after)
    return []


def _outcome(job: Generation, text: str, reasoning: str, seq: int, tokens: int) -> Outcome:
    poisoned = seq == 0 and not job.cancel_requested
    return Outcome(
        generation=str(job.id),
        attempt=job.attempt,
        status="failed" if poisoned else "cancelled" if job.cancel_requested else "interrupted",
        finish_reason="error" if poisoned else "cancelled" if job.cancel_requested else "interrupted",
        text=text,
        reasoning=reasoning,
        seq=seq,
        usage=Usage(prompt_tokens=job.prompt_tokens, completion_tokens=tokens),
        message=POISONED if poisoned else "" if job.cancel_requested else INTERRUPTED,
    )


async def _tell_readers(stream_log: StreamLog, outcomes: Sequence[Outcome], epoch: int) -> None:
    last = [(o.generation, Finished(o.seq + 1, o.finish_reason, o.usage, o.message)) for o in outcomes]
    lost = await stream_log.append(last, epoch=epoch)
    again = {o.generation: o for o in outcomes if o.generation in lost}
    seeds = [(id, Snapshot(o.seq, o.text, o.reasoning, o.usage.completion_tokens)) for id, o in again.items()]
    await stream_log.append([*seeds, *((id, event) for id, event in last if id in again)], epoch=epoch)
