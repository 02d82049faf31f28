"""Why a generation ended, in the words that the person reads."""

from __future__ import annotations

import msgspec

from inference.dispatch.store import Status
from inference.engines.base import Output
from inference.request import FinishReason


class Ending(msgspec.Struct, frozen=True):
    """A status, its finish reason, and what the person is told."""

    status: Status
    finish_reason: FinishReason
    message: str = ""


CANCELLED = Ending("cancelled", "cancelled")

REFUSED = Ending("failed", "error", "The engine refused this request.")

UNREADABLE = Ending("failed", "error", "This question could not be read any more. Please ask it again.")

ENGINE_LOST = Ending(
    "interrupted",
    "interrupted",
    "The engine stopped in the middle. What it had written is kept; please retry.",
)

ENGINE_LOST_TWICE = Ending(
    "failed", "error", "The engine stopped twice before it could begin to answer. Please retry later."
)

ENGINE_DROPPED = Ending(
    "interrupted", "interrupted", "The engine dropped this answer. What it had written is kept; please retry."
)

DRAINED = Ending(
    "interrupted", "interrupted", "The server is restarting. What was written so far is kept; please retry."
)

_DEADLINES = {
    "queue": "Too many people asked at once and this waited too long in line. Please try again in a moment.",
    "first_token": "The engine did not begin to answer in time. Please try again.",
    "stall": "The engine fell silent in the middle. What it had written is kept; please retry.",
    "total": "The answer took longer than allowed. What was written so far is kept.",
}


def by_engine(output: Output) -> Ending:
    """The ending that an engine's last output tells."""
    reason = output.finish_reason
    if reason == "stop" or reason == "length":
        return Ending("finished", reason)
    return REFUSED if reason == "error" else ENGINE_DROPPED


def deadline(reason: str) -> Ending:
    """The ending for a deadline by its name: queue, first_token, stall or total."""
    return Ending("timed_out", "timeout", _DEADLINES.get(reason, "This took too long. Please try again."))
