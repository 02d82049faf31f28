"""The engine port: what the dispatcher asks of whatever computes tokens.

The port is batch-first. An engine advances all its requests together, one *step* at a time, so it
hands over one `Step` with the new outputs of every request, and the dispatcher wakes once per step, not
once per token (docs/decisions/0002). Every adapter passes tests/inference/test_engine_contract.py.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from typing import ClassVar, Literal

import msgspec

from inference.model_capabilities import Capabilities
from inference.request import ChatMessage, Fault, Sampling, TokenLogprob

Progress = Callable[[str, float | None], None]
"""Called while an engine starts, with what it is doing and the fraction done where that is known."""

EngineFinish = Literal["stop", "length", "cancelled", "error"]


class EngineError(Exception):
    """Base of the errors that an engine raises."""


class EngineStartError(EngineError):
    """The engine cannot start with these settings; the message names the value and the remedy."""


class EngineDiedError(EngineError):
    """The engine has died and its running requests are lost; build a new one."""


class EngineRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request as an engine sees it. `priority`: lower is sooner, for engines that reorder.

    `affinity` is the conversation, so that one of several replicas keeps its prefix cached; `owner` is the
    user, so that preparing the requests of one user delays nobody else's. A request finds in the prefix cache
    only what others of the same `cache_salt` left there (docs/decisions/0073).
    """

    id: str
    messages: tuple[ChatMessage, ...]
    sampling: Sampling
    max_tokens: int
    priority: int = 0
    affinity: str = ""
    owner: str = ""
    cache_salt: str = ""


class Output(msgspec.Struct, frozen=True, omit_defaults=True):
    """The new output of one request in one step.

    `text` and `reasoning` are deltas. `prompt_tokens` and `cached_tokens` come with the first output of a
    request. An engine that does not know `prompt_tokens` then reports a count of its own as soon as it has
    one, and may correct it once. `cached_tokens` None: not known yet; if it ever is, it comes with the last
    output. The last output carries `finish_reason`; `error` explains an "error", and `fault` says whose it
    is. `logprobs` are those of the new tokens, where they were requested.
    """

    id: str
    text: str = ""
    reasoning: str = ""
    new_tokens: int = 0
    prompt_tokens: int | None = None
    cached_tokens: int | None = 0
    finish_reason: EngineFinish | None = None
    error: str | None = None
    fault: Fault = "server"
    logprobs: tuple[TokenLogprob, ...] = ()


class EngineStats(msgspec.Struct, frozen=True):
    """The engine's counters. `steps` grows with every step; it stands still while the engine hangs.

    Requests and tokens are as of the latest step. A remote engine's memory and cache figures may be a second
    old, the interval at which its servers are polled, and its `steps` are a lower bound seen from its
    streams.
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
    """One engine step: the new outputs of all requests, and the counters after it."""

    outputs: tuple[Output, ...]
    stats: EngineStats


class EngineInfo(msgspec.Struct, frozen=True):
    """Model, limits and capabilities of a started engine. `context_tokens`: prompt plus answer.

    `structured`: it supports structured output by a JSON schema. `raw_prompts`: it continues a text without a
    chat template. `logprobs`: it reports log probabilities. `note`: what people should know of the model,
    such as that it is a demonstration, and why this one. `capabilities`: what its template can do,
    where that is known.
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
    note: str = ""
    capabilities: Capabilities | None = None


class Engine(ABC):
    """The engine port: computes tokens for many requests at once. One event loop, one owner."""

    kind: ClassVar[Literal["vllm", "remote", "emulated"]]

    @abstractmethod
    async def start(self, progress: Progress) -> EngineInfo:
        """Build the engine; returns when it can compute. Raises EngineStartError."""

    @abstractmethod
    async def add(self, request: EngineRequest) -> None:
        """Add a request. A request that the engine refuses ends in a step with an "error" output.

        Raises EngineDiedError when the engine is not running.
        """

    @abstractmethod
    async def abort(self, ids: Sequence[str]) -> None:
        """Abort these requests: each ends "cancelled" within one step. Unknown ids are ignored."""

    @abstractmethod
    def steps(self) -> AsyncIterator[Step]:
        """Every step, in order, until close(). Raises EngineDiedError when the engine dies."""

    @abstractmethod
    async def count_tokens(self, messages: Sequence[ChatMessage]) -> int:
        """The exact number of prompt tokens that these messages become, template included."""

    @abstractmethod
    def stats(self) -> EngineStats:
        """The latest counters, without asking the engine."""

    def cpu_time_s(self) -> float | None:
        """CPU time of the engine's processes in seconds, run-queue time included, while no step ends.

        It grows in a starved engine and not in a hung one. None: not known for this engine.
        """
        return None

    @abstractmethod
    async def close(self) -> None:
        """Shut the engine down with everything it started. Safe to call twice, and after EngineDiedError."""
