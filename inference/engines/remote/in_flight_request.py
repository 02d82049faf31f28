"""One request in flight at a remote server: its output so far, and what of it was not emitted yet."""

from __future__ import annotations

import asyncio

from inference.engines.base import EngineFinish, EngineRequest, Output
from inference.engines.remote.chat import ABORT, FINISH_REASONS, Chunk, ChunkLogprob, ChunkUsage
from inference.engines.remote.server import Server
from inference.request import Fault, TokenLogprob


class InFlightRequest:
    """A request at a server. `server` is the one that has it now, None between two.

    `prefilled`: a server has computed the prompt. `counting`: task that counts it, where the server does not.
    """

    __slots__ = (
        "_cached",
        "_error",
        "_fault",
        "_finish",
        "_has_output",
        "_logprobs",
        "_new_tokens",
        "_prompt_tokens",
        "_reasoning",
        "_reported",
        "_server_finish",
        "_text",
        "_tokens",
        "counting",
        "prefilled",
        "request",
        "server",
        "task",
    )

    def __init__(self, request: EngineRequest) -> None:
        self.request = request
        self.server: Server | None = None
        self.task: asyncio.Task[None] | None = None
        self.counting: asyncio.Task[None] | None = None
        self.prefilled = False
        self._has_output = False
        self._reported: int | None = None
        self._tokens = 0
        self._prompt_tokens = 0
        self._cached: int | None = None
        self._server_finish: str | None = None
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._logprobs: list[TokenLogprob] = []
        self._new_tokens = 0
        self._finish: EngineFinish | None = None
        self._error: str | None = None
        self._fault: Fault = "server"

    @property
    def finished(self) -> bool:
        return self._finish is not None

    @property
    def has_output(self) -> bool:
        """Whether there is any output; from then on it cannot be retried on another server."""
        return self._has_output

    @property
    def aborted(self) -> bool:
        """Whether the server aborted it before there was any output."""
        return self._server_finish == ABORT and not self.has_output

    def reset(self) -> None:
        """Prepare a retry on another server; tokens that brought no text are not counted twice."""
        self.prefilled = False
        self._server_finish = None

    @property
    def complete(self) -> bool:
        """Whether the server has sent a finish reason."""
        return self._server_finish is not None

    @property
    def lacks_prompt_tokens(self) -> bool:
        """Whether the server has begun without reporting the prompt's tokens."""
        return self.prefilled and not self._prompt_tokens

    def set_prompt_tokens(self, prompt_tokens: int) -> None:
        """Set our own count of the prompt; the server's, which many send at the end only, replaces it."""
        self._prompt_tokens = self._prompt_tokens or prompt_tokens

    @property
    def unreported_prompt_tokens(self) -> int:
        """How much the next output adds to the reported prompt tokens."""
        return self._prompt_tokens - (self._reported or 0) if self._prompt_tokens else 0

    def take(self, chunk: Chunk) -> None:
        """Add one chunk. Without usage in it, text counts as one token until the last chunk has the total."""
        self.prefilled = True
        has_text = False
        for choice in chunk.choices:
            delta = choice.delta
            reasoning = delta.reasoning or delta.reasoning_content
            if delta.content:
                self._text.append(delta.content)
            if reasoning:
                self._reasoning.append(reasoning)
            if choice.logprobs is not None:
                self._logprobs += map(_token_logprob, choice.logprobs.content or ())
            has_text = has_text or bool(delta.content or reasoning)
            self._server_finish = choice.finish_reason or self._server_finish
        self._has_output = self._has_output or has_text or bool(self._logprobs)
        if chunk.usage is not None:
            self._count(chunk.usage)
        elif has_text:
            self._new_tokens += 1
            self._tokens += 1

    def end_as_reported(self) -> None:
        """The stream is over: end with the server's finish reason."""
        reason = self._server_finish or ""
        if reason in FINISH_REASONS:
            self.end(FINISH_REASONS[reason])
        else:
            self.end("error", f"The server ended it: {reason}.")

    def end(self, finish: EngineFinish, error: str | None = None, fault: Fault = "server") -> None:
        """Set the finish reason; pending text goes out with it."""
        self._finish, self._error, self._fault = finish, error, fault

    def output(self) -> Output:
        """Everything since the last call."""
        prompt_tokens = (
            self._prompt_tokens if self._prompt_tokens and self._prompt_tokens != self._reported else None
        )
        self._reported = self._reported if prompt_tokens is None else prompt_tokens
        output = Output(
            id=self.request.id,
            text="".join(self._text),
            reasoning="".join(self._reasoning),
            new_tokens=self._new_tokens,
            prompt_tokens=prompt_tokens,
            # Known at the end only, and only if the server was started to report it.
            cached_tokens=self._cached,
            finish_reason=self._finish,
            error=self._error,
            fault=self._fault,
            logprobs=tuple(self._logprobs),
        )
        self._text, self._reasoning, self._logprobs, self._new_tokens = [], [], [], 0
        return output

    def _count(self, usage: ChunkUsage) -> None:
        self._prompt_tokens = usage.prompt_tokens or self._prompt_tokens
        new = max(0, (usage.completion_tokens or 0) - self._tokens)
        self._tokens += new
        self._new_tokens += new
        if usage.prompt_tokens_details is not None:
            self._cached = usage.prompt_tokens_details.cached_tokens


def _token_logprob(sampled: ChunkLogprob) -> TokenLogprob:
    return TokenLogprob(
        sampled.token, sampled.logprob, tuple((one.token, one.logprob) for one in sampled.top_logprobs)
    )
