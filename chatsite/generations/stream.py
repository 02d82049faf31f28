"""Following one answer: its events from a cursor to the end, over whatever the stream log has lost.

The log is followed while it holds what comes next. Where it does not (GapError), where it is silent, and
where its end is not the end that was sent, the row decides: it gives the recorded text, or the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, nullcontext
from uuid import UUID

import msgspec

from chatsite.backends import stream_log
from chatsite.database import read
from chatsite.generations.access import access_generation
from chatsite.generations.models import ACTIVE, Generation
from chatsite.server.idle_timeout import IdleTimeout
from inference.request import Fault, FinishReason, Usage
from inference.stream_log.base import Delta, Event, Finished, GapError, Snapshot, StreamStatus, merge_deltas

GAP_RETRY_S = 0.25
"""How soon the row is read again when it does not reach the log yet; checkpoints come every second."""

RECHECK_S = 15.0
"""A stream silent for this long is looked up in its row: an end that the log lost is an end."""


async def follow(
    user_id: int,
    generation: UUID,
    after: int,
    *,
    fresh: bool = False,
    turn: AbstractAsyncContextManager[object] | None = None,
) -> AsyncGenerator[list[Event | StreamStatus], None]:
    """Batches of events and notices behind the cursor `after`, the last one ending with Finished.

    A Snapshot replaces all text before it; of an answer that has ended it may also be shorter, where less was
    kept than was sent. `fresh`: the person has just submitted it, so that its row need not be read to know
    that it is theirs. `turn` is held while recorded text is read and until the next batch is asked for: who
    reads many streams holds one text at a time. A reader that is slow to ask for the next batch gets a larger
    one. Close with `aclose()`. Raises Refusal `not_found` where there is no such answer to see.
    """
    job: Generation | None = None
    while True:
        if not fresh:
            async with turn or nullcontext():
                job = await read(access_generation, user_id, generation)
                if job.status not in ACTIVE:
                    yield ending(job, after)
                    return
        fresh = False
        batches = stream_log().follow(str(generation), after)
        idle = IdleTimeout(RECHECK_S)
        try:
            while batch := await idle.wait(anext(batches, None)):
                events = merge_deltas(batch)
                last = events[-1]
                if isinstance(last, Delta):  # nearly always, and then nothing else need be looked at
                    after = last.seq
                    yield events
                    continue
                after = max([after, *(event.seq for event in events if isinstance(event, Delta | Snapshot))])
                if not isinstance(last, Finished):
                    yield events
                elif last.seq == after + 1:
                    yield events
                    return
                else:
                    if len(events) > 1:
                        yield events[:-1]
                    break  # what was recorded is not what was sent: the row decides
        except GapError:
            if job is not None and job.seq > after:
                yield [Snapshot(job.seq, job.answer.content, job.answer.reasoning)]
                after = job.seq
            elif job is not None:
                await asyncio.sleep(GAP_RETRY_S)
        except TimeoutError:
            pass  # silent: the row may have ended
        finally:
            idle.close()
            await batches.aclose()


def usage_of(job: Generation) -> Usage:
    """Its tokens and times; without what an import brought that is none of them."""
    try:
        return msgspec.convert(job.usage, Usage)
    except msgspec.ValidationError:
        return Usage()


def ending(job: Generation, after: int) -> list[Event | StreamStatus]:
    """The end of a row; before it the recorded text, where the reader holds less, or more than was kept."""
    reason: FinishReason = job.finish_reason  # type: ignore[assignment]
    fault: Fault | None = job.fault or None  # type: ignore[assignment]
    finished = Finished(job.seq + 1, reason, usage_of(job), job.message, fault)
    if job.seq == after:
        return [finished]
    return [Snapshot(job.seq, job.answer.content, job.answer.reasoning), finished]
