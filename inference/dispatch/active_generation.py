"""One generation in the dispatcher's hands: its state, its text, and the endings that it may come to."""

from __future__ import annotations

from typing import Literal

import msgspec

from inference.dispatch.store import Answer, Claim, Outcome, Status
from inference.engines.base import EngineRequest, Output
from inference.reasoning import Reasoning, ReasoningSplitter
from inference.request import Fault, FinishReason, Request, RequestClass, Usage, raw_prompt
from inference.stream_log.base import Delta, Finished, Snapshot

Phase = Literal["waiting", "claiming", "running"]

SEQS_OF_ATTEMPT = 1_000_000
"""How far apart the seqs of two attempts begin, above any answer's length: a reader may hold words of one
whose process died before they were stored, and must not take the next one's for what follows them."""


class Ending(msgspec.Struct, frozen=True):
    """A status, its finish reason, and the message for the user."""

    status: Status
    finish_reason: FinishReason
    message: str = ""
    fault: Fault | None = "server"


CANCELLED = Ending("cancelled", "cancelled", fault=None)

REFUSED = Ending("failed", "error", "The engine refused this request.", "request")

ENGINE_FAILED = Ending("failed", "error", "The engine could not answer this request. Please try again.")

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
    "queue": "Too many people asked at once and this waited in the queue for too long. Please retry soon.",
    "first_token": "The engine did not begin to answer in time. Please try again.",
    "stall": "The engine fell silent in the middle. What it had written is kept; please retry.",
    "total": "The answer took longer than allowed. What was written so far is kept.",
}


def ending_by_engine(output: Output) -> Ending:
    """The ending by an engine's last output."""
    reason = output.finish_reason
    if reason == "stop" or reason == "length":
        return Ending("finished", reason, fault=None)
    if reason != "error":
        return ENGINE_DROPPED
    return REFUSED if output.fault == "request" else ENGINE_FAILED


def ending_by_deadline(reason: str) -> Ending:
    """The ending for a deadline by its name: queue, first_token, stall or total."""
    return Ending("timed_out", "timeout", _DEADLINES.get(reason, "This took too long. Please try again."))


class ActiveGeneration:
    """What the process knows of a generation, from its arrival until its outcome is recorded.

    Its text is the truth while the process lives.

    Times are monotonic seconds of the dispatcher's clock. `starts` counts how often an engine got it.
    """

    __slots__ = (
        "_first_seq",
        "_how",
        "_reasoning",
        "_splitter",
        "_text",
        "cached_tokens",
        "chars",
        "checkpoint_due",
        "checkpoint_seq",
        "claimed",
        "completion_tokens",
        "enqueued_at",
        "finished",
        "first_answer_at",
        "first_text_at",
        "outcome",
        "phase",
        "prompt_tokens",
        "request",
        "request_class",
        "seq",
        "started_at",
        "starts",
    )

    def __init__(
        self, request: Request, request_class: RequestClass, now: float, reasoning: Reasoning = "auto"
    ) -> None:
        self.request = request
        self.request_class = request_class
        self.phase: Phase = "waiting"
        self.claimed = False
        self.starts = 0
        self.enqueued_at = now - request.waited_s
        self.started_at: float | None = None
        self.first_text_at: float | None = None
        self.first_answer_at: float | None = None
        self._how: Reasoning = "off" if raw_prompt(request.messages) is not None else reasoning
        self._splitter = ReasoningSplitter(self._how)
        self.prompt_tokens = request.prompt_tokens
        self.cached_tokens = 0
        self.completion_tokens = 0
        self.seq = self._first_seq = (request.attempt - 1) * SEQS_OF_ATTEMPT
        self.chars = 0
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self.checkpoint_seq = self.seq
        self.checkpoint_due = 0.0
        self.outcome: Outcome | None = None
        self.finished: Finished | None = None

    @property
    def generation(self) -> str:
        return self.request.generation

    @property
    def claim(self) -> Claim:
        return Claim(self.request.generation, self.request.attempt)

    @property
    def has_output(self) -> bool:
        """Whether this attempt has brought anything to read."""
        return self.seq > self._first_seq

    @property
    def text(self) -> str:
        """The answer so far. Joined once and kept joined, so that asking often stays cheap."""
        return _joined(self._text)

    @property
    def reasoning(self) -> str:
        return _joined(self._reasoning)

    @property
    def answer(self) -> Answer:
        return Answer(
            self.generation, self.request.attempt, self.text, self.reasoning, self.seq, self.completion_tokens
        )

    @property
    def snapshot(self) -> Snapshot:
        return Snapshot(self.seq, self.text, self.reasoning, self.completion_tokens)

    def engine_request(self, priority: int) -> EngineRequest:
        request = self.request
        return EngineRequest(
            id=request.generation,
            messages=request.messages,
            sampling=request.sampling,
            max_tokens=request.max_tokens,
            priority=priority,
            affinity=request.conversation,
            owner=request.user,
            cache_salt=request.cache_salt,
        )

    def restart(self) -> None:
        """Back in the queue after an engine was lost before any text was sent: what the splitter held back of
        that run is forgotten with it."""
        self._splitter = ReasoningSplitter(self._how)
        self.completion_tokens = 0

    def take(self, output: Output, now: float) -> Delta | None:
        """Add one step's output; returns the delta to log, if it brought anything to read."""
        if output.prompt_tokens is not None:
            self.prompt_tokens = output.prompt_tokens
        if output.cached_tokens:
            self.cached_tokens = output.cached_tokens
        self.completion_tokens += output.new_tokens
        text, thought = self._splitter.feed(_storable(output.text), last=output.finish_reason is not None)
        thought = _storable(output.reasoning) + thought
        if not text and not thought and not output.logprobs:
            return None
        self._note_times(text, now)
        self.seq += 1
        self.chars += len(text) + len(thought)
        self._text.append(text)
        if thought:
            self._reasoning.append(thought)
        return Delta(self.seq, text, thought, self.completion_tokens, output.logprobs)

    def _note_times(self, text: str, now: float) -> None:
        if self.first_text_at is None:
            self.first_text_at = now
        if text and self.first_answer_at is None:
            self.first_answer_at = now

    def end(self, ending: Ending, message: str, now: float) -> Outcome:
        """Fix the outcome: from here on nothing is added. `message` is said instead of the ending's own."""
        self.outcome = Outcome(
            generation=self.generation,
            attempt=self.request.attempt,
            status=ending.status,
            finish_reason=ending.finish_reason,
            text=self.text,
            reasoning=self.reasoning,
            seq=self.seq,
            usage=self._usage(now),
            message=_storable(message or ending.message),
            fault=ending.fault,
            request_class=self.request_class,
        )
        return self.outcome

    def finish(self) -> Finished:
        """The last event, for after the outcome is recorded."""
        assert self.outcome is not None
        self.finished = Finished(
            seq=self.seq + 1,
            finish_reason=self.outcome.finish_reason,
            usage=self.outcome.usage,
            message=self.outcome.message,
            fault=self.outcome.fault,
        )
        return self.finished

    def _usage(self, now: float) -> Usage:
        started = self.started_at is not None
        return Usage(
            prompt_tokens=self.prompt_tokens if started else 0,
            cached_tokens=self.cached_tokens,
            completion_tokens=self.completion_tokens,
            queue_s=None if self.started_at is None else self.started_at - self.enqueued_at,
            ttft_s=None if self.first_text_at is None else self.first_text_at - self.enqueued_at,
            total_s=now - self.enqueued_at,
            reasoning_s=self._reasoned_s(now),
        )

    def _reasoned_s(self, now: float) -> float | None:
        if not self._reasoning or self.first_text_at is None:
            return None
        return (now if self.first_answer_at is None else self.first_answer_at) - self.first_text_at


def _joined(parts: list[str]) -> str:
    if len(parts) > 1:
        parts[:] = ["".join(parts)]
    return parts[0] if parts else ""


def _storable(text: str) -> str:
    """A model may write U+0000, and an engine's error quote it; PostgreSQL stores none."""
    return text.replace("\0", "\ufffd")
