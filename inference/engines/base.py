"""The engine port: what the dispatcher asks of whatever computes tokens.

The port is batch-first. An engine advances all its requests together, one *step* at a time, so it
hands over one `Step` with the news of every request, and the dispatcher wakes once per step, not
once per token (docs/decisions/0002). Every adapter passes tests/inference/test_engine_contract.py.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from typing import ClassVar, Literal

import msgspec

from inference.request import ChatMessage, Sampling, TokenLogprob

Progress = Callable[[str, float | None], None]
"""Told while an engine starts: what it is doing, and the fraction done where that is known."""

EngineFinish = Literal["stop", "length", "cancelled", "error"]


class EngineError(Exception):
    """Base of what an engine may raise."""


class EngineStartError(EngineError):
    """The engine cannot start with these settings; the message names the value and the remedy."""


class EngineDiedError(EngineError):
    """The engine is gone. Whatever it was running is lost; build a new one."""


class EngineRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request as an engine sees it. `priority`: lower is sooner, for engines that reorder.

    `affinity` names the conversation, so that several replicas can keep its prefix in one cache.
    """

    id: str
    messages: tuple[ChatMessage, ...]
    sampling: Sampling
    max_tokens: int
    priority: int = 0
    affinity: str = ""


class Output(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one step brought one request.

    `text` and `reasoning` are deltas. `prompt_tokens` and `cached_tokens` come with the first output of a
    request. An engine that does not know `prompt_tokens` then tells a count of its own as soon as it has
    one, and may correct it once. `cached_tokens` None: the engine does not say so yet; if it ever does, it
    does with the last output. The last output carries `finish_reason`; `error` explains an "error".
    `logprobs` are of the new tokens, where they were asked for.
    """

    id: str
    text: str = ""
    reasoning: str = ""
    new_tokens: int = 0
    prompt_tokens: int | None = None
    cached_tokens: int | None = 0
    finish_reason: EngineFinish | None = None
    error: str | None = None
    logprobs: tuple[TokenLogprob, ...] = ()


class EngineStats(msgspec.Struct, frozen=True):
    """The engine's own counters. `steps` grows with every step: a frozen engine does not move it.

    Requests and tokens are as of the latest step; a remote engine's memory and cache figures may be older
    by the second between two looks at its servers, and its `steps` are those that its streams gave away.
    """

    steps: int = 0
    running: int = 0
    waiting: int = 0
    kv_usage: float = 0.0
    prompt_tokens: int = 0
    generation_tokens: int = 0
    prefix_queries: int = 0
    prefix_hits: int = 0
    preemptions: int = 0


class Step(msgspec.Struct, frozen=True):
    """One engine step: the news of every request that had any, and the counters after it."""

    outputs: tuple[Output, ...]
    stats: EngineStats


class EngineInfo(msgspec.Struct, frozen=True):
    """What a started engine is. `context_tokens` is the site's context: prompt plus answer.

    `structured`: it can hold an answer to a JSON schema. `raw_prompts`: it goes on with a text that no
    chat template was put around. `logprobs`: it can tell how likely each token was.
    """

    engine: Literal["vllm", "remote", "emulated"]
    model: str
    context_tokens: int
    kv_tokens: int
    max_running: int
    version: str = ""
    structured: bool = False
    raw_prompts: bool = True
    logprobs: bool = False


class Engine(ABC):
    """Computes tokens for many requests at once. One event loop, one owner."""

    kind: ClassVar[Literal["vllm", "remote", "emulated"]]

    @abstractmethod
    async def start(self, progress: Progress) -> EngineInfo:
        """Build the engine; returns when it can compute. Raises EngineStartError."""

    @abstractmethod
    async def add(self, request: EngineRequest) -> None:
        """Hand a request over. A request the engine refuses ends in a step with an "error" output.

        Raises EngineDiedError when there is no engine to hand it to.
        """

    @abstractmethod
    async def abort(self, ids: Sequence[str]) -> None:
        """Stop these requests: each ends "cancelled" within one step. Unknown ids are ignored."""

    @abstractmethod
    def steps(self) -> AsyncIterator[Step]:
        """Every step, in order, until close(). Raises EngineDiedError when the engine dies."""

    @abstractmethod
    async def count_tokens(self, messages: Sequence[ChatMessage]) -> int:
        """The exact number of prompt tokens that these messages become, template included."""

    @abstractmethod
    def stats(self) -> EngineStats:
        """The latest counters, without asking the engine."""

    def labour_s(self) -> float | None:
        """Seconds in which what makes the steps computed or waited for a processor, as heard in a silence.

        Tells a starved engine, where this grows, from a frozen one. None: this engine cannot tell.
        """
        return None

    @abstractmethod
    async def close(self) -> None:
        """End the engine and everything it started. Safe to call twice, and after a death."""
