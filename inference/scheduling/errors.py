"""What the scheduler refuses a request with. `code` is the wire's code (chatsite.streaming.frames)."""

from __future__ import annotations

from typing import ClassVar


class SchedulerError(Exception):
    """Base of all refusals."""

    code: ClassVar[str]


class QueueFullError(SchedulerError):
    """The line is full, for everybody or for this user. `retry_after_s` is when room is expected."""

    code = "queue_full"

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class TooLargeError(SchedulerError):
    """Prompt and answer would not fit the engine even if it were empty."""

    code = "too_long"


class DuplicateError(SchedulerError):
    """This generation is waiting or running already; it is not started twice."""

    code = "duplicate"
