"""One request that a remote server answers: what it has brought, and what of that was not handed on yet."""

from __future__ import annotations

import asyncio

from inference.engines.base import EngineFinish, EngineRequest, Output
from inference.replicas.chat import ABORT, FINISH_REASONS, Chunk, ChunkUsage, Drawn
from inference.replicas.server import Server
from inference.request import TokenLogprob


class Flight:
    """`server` is who is answering right now, if anybody.

    `answered`: a server has computed the prompt. `measuring` counts it, where the server does not tell.
    """

    __slots__ = (
        "_brought", "_cached", "_error", "_finish", "_fresh", "_logprobs", "_prompt_tokens", "_reasoning",
        "_server_finish", "_text", "_tokens", "_told", "answered", "measuring", "request", "server", "task",
    )  # fmt: skip

    def __init__(self, request: EngineRequest) -> None:
        self.request = request
        self.server: Server | None = None
        self.task: asyncio.Task[None] | None = None
        self.measuring: asyncio.Task[None] | None = None
        self.answered = False
        self._brought = False
        self._told: int | None = None
        self._tokens = 0
        self._prompt_tokens = 0
        self._cached: int | None = None
        self._server_finish: str | None = None
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._logprobs: list[TokenLogprob] = []
        self._fresh = 0
        self._finish: EngineFinish | None = None
        self._error: str | None = None

    @property
    def finished(self) -> bool:
        return self._finish is not None

    @property
    def begun(self) -> bool:
        """Whether there is anything to read; from then on no other server can take over."""
        return self._brought

    @property
    def aborted(self) -> bool:
        """Whether the server let go of it before there was anything to read."""
        return self._server_finish == ABORT and not self.begun

    def begin_again(self) -> None:
        """Another server starts from nothing; tokens that brought no text are not counted twice."""
        self.answered = False
        self._server_finish = None

    @property
    def complete(self) -> bool:
        """Whether the server has said how it ends."""
        return self._server_finish is not None

    @property
    def unmeasured(self) -> bool:
        """Whether the server has begun without telling how long the prompt is."""
        return self.answered and not self._prompt_tokens

    def measure(self, prompt_tokens: int) -> None:
        """The prompt by our own count, until the server tells its, which many do at the end alone."""
        self._prompt_tokens = self._prompt_tokens or prompt_tokens

    @property
    def untold_prompt_tokens(self) -> int:
        """What the next output corrects the prompt's length by."""
        return self._prompt_tokens - (self._told or 0) if self._prompt_tokens else 0

    def take(self, chunk: Chunk) -> None:
        """Add one chunk. Without usage in it, text counts as one token until the last chunk tells."""
        self.answered = True
        brought = False
        for choice in chunk.choices:
            delta = choice.delta
            reasoning = delta.reasoning or delta.reasoning_content
            if delta.content:
                self._text.append(delta.content)
            if reasoning:
                self._reasoning.append(reasoning)
            if choice.logprobs is not None:
                self._logprobs += map(_told, choice.logprobs.content or ())
            brought = brought or bool(delta.content or reasoning)
            self._server_finish = choice.finish_reason or self._server_finish
        self._brought = self._brought or brought or bool(self._logprobs)
        if chunk.usage is not None:
            self._count(chunk.usage)
        elif brought:
            self._fresh += 1
            self._tokens += 1

    def end_by_server(self) -> None:
        """The stream is over: the request ends as the server said."""
        reason = self._server_finish or ""
        if reason in FINISH_REASONS:
            self.end(FINISH_REASONS[reason])
        else:
            self.end("error", f"The server ended it: {reason}.")

    def end(self, finish: EngineFinish, error: str | None = None) -> None:
        """Fix how it ends; the text that has come goes out with it."""
        self._finish, self._error = finish, error

    def output(self) -> Output:
        """Everything since the last call."""
        news = self._prompt_tokens if self._prompt_tokens and self._prompt_tokens != self._told else None
        self._told = self._told if news is None else news
        output = Output(
            id=self.request.id,
            text="".join(self._text),
            reasoning="".join(self._reasoning),
            new_tokens=self._fresh,
            prompt_tokens=news,
            # Known at the end alone, and only if the server was started to tell.
            cached_tokens=self._cached,
            finish_reason=self._finish,
            error=self._error,
            logprobs=tuple(self._logprobs),
        )
        self._text, self._reasoning, self._logprobs, self._fresh = [], [], [], 0
        return output

    def _count(self, usage: ChunkUsage) -> None:
        self._prompt_tokens = usage.prompt_tokens or self._prompt_tokens
        new = max(0, (usage.completion_tokens or 0) - self._tokens)
        self._tokens += new
        self._fresh += new
        if usage.prompt_tokens_details is not None:
            self._cached = usage.prompt_tokens_details.cached_tokens


def _told(drawn: Drawn) -> TokenLogprob:
    return TokenLogprob(
        drawn.token, drawn.logprob, tuple((one.token, one.logprob) for one in drawn.top_logprobs)
    )
