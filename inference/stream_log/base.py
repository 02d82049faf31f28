"""The stream log port: append-only events per generation, read by cursor.

Events carry `seq` from 1 without holes. The log is appended once per engine step for all streams
together; a reader holds a cursor and never skips a gap: where the log no longer holds what follows
its cursor, it is told so and starts again from the recorded snapshot (the row's text and seq).
Notices (position in line, started) have no seq: only the latest of a stream is kept.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import ClassVar

import msgspec

from inference.request import FinishReason, TokenLogprob, Usage


class Delta(msgspec.Struct, frozen=True, tag="delta", omit_defaults=True):
    """What one step added to an answer. `tokens` is how many the answer has with it.

    `logprobs` pass by: no row keeps them.
    """

    seq: int
    text: str
    reasoning: str = ""
    tokens: int = 0
    logprobs: tuple[TokenLogprob, ...] = ()


class Snapshot(msgspec.Struct, frozen=True, tag="snapshot", omit_defaults=True):
    """The whole answer up to `seq`: written by the owner to re-seed a log that was lost."""

    seq: int
    text: str
    reasoning: str = ""
    tokens: int = 0


class Finished(msgspec.Struct, frozen=True, tag="finished", omit_defaults=True):
    """The last event. It is appended only after the recorder's transaction has committed."""

    seq: int
    finish_reason: FinishReason
    usage: Usage
    message: str = ""


class Queued(msgspec.Struct, frozen=True, tag="queued"):
    """Place in line from 1, and the estimated wait in seconds (None: not known yet)."""

    position: int
    eta_s: float | None


class Started(msgspec.Struct, frozen=True, tag="started"):
    """The engine has it."""


Event = Delta | Snapshot | Finished
Notice = Queued | Started


class FencedError(Exception):
    """A younger owner writes this log now; whoever gets this must stop writing for good."""


class GapError(Exception):
    """The log does not hold what follows the cursor; read the recorded snapshot and follow from its seq."""


class StreamLog(ABC):
    """Both ends of the log. Writers pass their owner epoch; readers pass their cursor."""

    outlives_process: ClassVar[bool] = True
    """Whether an owner finds what the one before it wrote: then a log that cannot be read is worth a wait."""

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
    async def notify(self, notices: Mapping[str, Notice]) -> None:
        """Replace the latest notice of each generation and tell its readers. May be lost."""

    @abstractmethod
    async def read(self, generation: str, after: int) -> list[Event]:
        """Every held event with seq > `after`, starting at after + 1 or at a Snapshot. Raises GapError."""

    @abstractmethod
    def follow(self, generation: str, after: int) -> AsyncGenerator[list[Event | Notice], None]:
        """Batches as they come, first what is held, ending after Finished. Raises GapError.

        A slow reader gets larger batches, never a queue without bound. Close with `aclose()`.
        """

    @abstractmethod
    async def close(self) -> None:
        """Let go of connections and wake all readers."""
