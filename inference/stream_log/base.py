"""The stream log port: append-only events per generation, read by cursor.

Events carry `seq` from 1 without gaps. The log is appended once per engine step for all streams
together; a reader holds a cursor and never skips a gap: where the log no longer holds what follows
its cursor, it is told so and starts again from the recorded snapshot (the row's text and seq).
A stream's status (position in the queue, started) has no seq: only the latest is kept.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from itertools import chain
from typing import ClassVar

import msgspec

from inference.request import Fault, FinishReason, TokenLogprob, Usage


class Delta(msgspec.Struct, frozen=True, tag="delta", omit_defaults=True):
    """What one step added to an answer. `tokens` is how many the answer has with it.

    `logprobs` are streamed only: no row keeps them.
    """

    seq: int
    text: str
    reasoning: str = ""
    tokens: int = 0
    logprobs: tuple[TokenLogprob, ...] = ()


class Snapshot(msgspec.Struct, frozen=True, tag="snapshot", omit_defaults=True):
    """The whole answer up to `seq`: appended by the owner to restore a log that was lost."""

    seq: int
    text: str
    reasoning: str = ""
    tokens: int = 0


class Finished(msgspec.Struct, frozen=True, tag="finished", omit_defaults=True):
    """The last event. It is appended only after the recorder's transaction has committed.

    `fault` says whose an ending is that is neither an answer nor a wish.
    """

    seq: int
    finish_reason: FinishReason
    usage: Usage
    message: str = ""
    fault: Fault | None = None


class Queued(msgspec.Struct, frozen=True, tag="queued"):
    """Position in the queue from 1, and the estimated wait in seconds (None: not known yet)."""

    position: int
    eta_s: float | None


class Started(msgspec.Struct, frozen=True, tag="started"):
    """The request runs in the engine."""


Event = Delta | Snapshot | Finished
StreamStatus = Queued | Started
"""What a stream without text yet is doing."""


class FencedError(Exception):
    """A newer owner writes this log now; the writer must stop for good."""


class GapError(Exception):
    """The log does not hold what follows the cursor; read the recorded snapshot and follow from its seq."""


class StreamLog(ABC):
    """Both ends of the log. Writers pass their owner epoch; readers pass their cursor."""

    outlives_process: ClassVar[bool] = True
    """Whether a new owner can read what its predecessor wrote; then recovery waits for an unreachable log."""

    @abstractmethod
    async def append(self, events: Sequence[tuple[str, Event]], *, epoch: int) -> Sequence[str]:
        """Append events of many generations at once, in order. Returns generations whose log was found lost.

        "Lost" means that the event does not directly follow what the log holds: the owner answers by
        appending a Snapshot of it. Raises FencedError when a higher epoch has written before.
        """

    @abstractmethod
    async def epoch(self) -> int:
        """The highest epoch that has written; 0 before anyone has."""

    @abstractmethod
    async def publish_status(self, statuses: Mapping[str, StreamStatus]) -> None:
        """Replace the latest status of each generation and publish it to readers. May be lost."""

    @abstractmethod
    async def read(self, generation: str, after: int) -> list[Event]:
        """Every held event with seq > `after`, starting at after + 1 or at a Snapshot. Raises GapError."""

    @abstractmethod
    def follow(self, generation: str, after: int) -> AsyncGenerator[list[Event | StreamStatus], None]:
        """Batches as they come, first what is held, ending after Finished. Raises GapError.

        A slow reader gets larger batches, never a queue without bound. Close with `aclose()`.
        """

    @abstractmethod
    async def close(self) -> None:
        """Close connections and end all readers."""


MERGED_CHARS = 128 * 1024
"""Of one merged delta at most, unless one is longer by itself: as JSON it fits into a frame of 1 MiB."""


def merge_deltas(events: Iterable[Event | StreamStatus]) -> list[Event | StreamStatus]:
    """Merge adjacent deltas into few, each with the seq of the last one in it.

    Applying the result gives the same text as applying the input. Other events keep their order.
    """
    merged: list[Event | StreamStatus] = []
    run: list[Delta] = []
    chars = 0
    for event in events:
        if isinstance(event, Delta):
            size = len(event.text) + len(event.reasoning)
            if run and chars + size > MERGED_CHARS:
                merged.append(_join(run))
                run, chars = [], 0
            run.append(event)
            chars += size
            continue
        if run:
            merged.append(_join(run))
            run, chars = [], 0
        merged.append(event)
    if run:
        merged.append(_join(run))
    return merged


def _join(run: list[Delta]) -> Delta:
    if len(run) == 1:
        return run[0]
    return Delta(
        seq=run[-1].seq,
        text="".join(delta.text for delta in run),
        reasoning="".join(delta.reasoning for delta in run),
        tokens=run[-1].tokens,
        logprobs=tuple(chain.from_iterable(delta.logprobs for delta in run)),
    )
