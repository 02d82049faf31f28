"""The store port: how the dispatcher claims and writes rows. The recorder implements it on the database.

Every write is a conditional update on (generation, attempt, a status that may change, the owner's epoch);
what it returns is what it really changed. Any method may raise FencedError when a younger owner
exists; any other exception means "not now", and the caller tries again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from inference.request import Fault, FinishReason, RequestClass, Usage

Status = Literal["finished", "cancelled", "failed", "timed_out", "interrupted"]


class Claim(msgspec.Struct, frozen=True):
    """A request to run a queued generation."""

    generation: str
    attempt: int


class Answer(msgspec.Struct, frozen=True):
    """A running answer up to `seq`: what a reader below the log's tail gets."""

    generation: str
    attempt: int
    text: str
    reasoning: str
    seq: int
    completion_tokens: int


class Outcome(msgspec.Struct, frozen=True):
    """How a generation ended. `seq` is that of its last delta; `message` is for the person.

    `fault` says whose an ending is that is neither an answer nor a wish.
    """

    generation: str
    attempt: int
    status: Status
    finish_reason: FinishReason
    text: str
    reasoning: str
    seq: int
    usage: Usage
    message: str = ""
    fault: Fault | None = None
    request_class: RequestClass = "normal"


class Store(Protocol):
    """Rows of generations, written in batches."""

    async def claim(self, claims: Sequence[Claim]) -> set[str]:
        """queued → running, for this owner. Only the returned generations may run.

        Like `finish`, it returns what a former call of this owner (same epoch, same attempt) claimed whose
        reply was lost: a row that is running because of us would otherwise run nowhere.
        """

    async def checkpoint(self, answers: Sequence[Answer]) -> None:
        """Keep the text so far of running generations."""

    async def finish(self, outcomes: Sequence[Outcome]) -> Mapping[str, Outcome]:
        """queued or running → the outcome's status, with text and settlement in one transaction.

        Returns what the generations hold now by this call, or by a former one of this owner whose reply was
        lost; others were ended by somebody else. An outcome that the rows cannot hold is replaced by a
        failed one, and keeps no other from being written.
        """
