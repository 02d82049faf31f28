"""A job: one generation in the dispatcher's hands, from its arrival until its outcome is recorded."""

from __future__ import annotations

from typing import Literal

from inference.dispatch.store import Answer, Claim, Outcome, Status
from inference.engines.base import EngineRequest, Output
from inference.reasoning import Reasoning, ReasoningSplitter
from inference.request import FinishReason, Request, RequestClass, Usage, raw_prompt
from inference.stream_log.base import Delta, Finished, Snapshot

Phase = Literal["waiting", "claiming", "running"]

SEQS_OF_ATTEMPT = 1_000_000
"""How far apart the seqs of two attempts begin, above any answer's length: a reader may hold words of one
whose process died before they were stored, and must not take the next one's for what follows them."""


class Job:
    """What the process knows of a generation. Its text is the truth while the process lives.

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
    def begun(self) -> bool:
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
        )

    def begin_again(self) -> None:
        """Back in line after an engine was lost before a word reached anybody: what the splitter held back of
        that run is forgotten with it."""
        self._splitter = ReasoningSplitter(self._how)
        self.completion_tokens = 0

    def take(self, output: Output, now: float) -> Delta | None:
        """Add one step's news; the delta to log, if it brought anything to read."""
        if output.prompt_tokens is not None:
            self.prompt_tokens = output.prompt_tokens
        if output.cached_tokens:
            self.cached_tokens = output.cached_tokens
        self.completion_tokens += output.new_tokens
        text, thought = self._splitter.feed(_storable(output.text), last=output.finish_reason is not None)
        thought = _storable(output.reasoning) + thought
        if not text and not thought and not output.logprobs:
            return None
        self._heard(text, now)
        self.seq += 1
        self.chars += len(text) + len(thought)
        self._text.append(text)
        if thought:
            self._reasoning.append(thought)
        return Delta(self.seq, text, thought, self.completion_tokens, output.logprobs)

    def _heard(self, text: str, now: float) -> None:
        if self.first_text_at is None:
            self.first_text_at = now
        if text and self.first_answer_at is None:
            self.first_answer_at = now

    def end(self, status: Status, finish_reason: FinishReason, message: str, now: float) -> Outcome:
        """Fix the outcome: from here on nothing is added."""
        self.outcome = Outcome(
            generation=self.generation,
            attempt=self.request.attempt,
            status=status,
            finish_reason=finish_reason,
            text=self.text,
            reasoning=self.reasoning,
            seq=self.seq,
            usage=self._usage(now),
            message=_storable(message),
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
