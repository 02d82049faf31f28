"""Types that all tiers share: messages, sampling, requests, usage. No I/O, no Django."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec

Role = Literal["system", "user", "assistant", "raw"]
"""`raw` stands alone: a prompt that the model continues as it is, without its chat template."""

FinishReason = Literal["stop", "length", "cancelled", "timeout", "interrupted", "error"]

Fault = Literal["request", "server"]
"""Whose fault it is that a generation has no whole answer: what was asked, or who should have answered."""

RequestClass = Literal["quick", "normal", "heavy"]


MAX_TOKENS = 2**31 - 1
"""Of one answer: what the database's column and the engines hold, far beyond any context."""

MaxTokens = Annotated[int, msgspec.Meta(ge=1, le=MAX_TOKENS)]
"""How long somebody lets an answer become."""


class ChatMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One turn of the prompt. `content` is data: control tokens typed in it stay text."""

    role: Role
    content: str


def raw_prompt(messages: Sequence[ChatMessage]) -> str | None:
    """The text of a raw prompt; None for a chat."""
    return messages[0].content if len(messages) == 1 and messages[0].role == "raw" else None


class Sampling(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Sampling parameters. `max_tokens` None means "as many as fit the context".

    `json_schema`: the answer is JSON that fits it, for engines with `EngineInfo.structured`. `ignore_eos`:
    continue until `max_tokens`, for load tests. `logprobs`: return each token's log probability and this many
    top ones, for engines with `EngineInfo.logprobs`; None: do not.
    """

    temperature: float = 0.7
    top_p: float = 1.0
    max_tokens: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    json_schema: dict[str, Any] | None = None
    ignore_eos: bool = False
    logprobs: int | None = None


class TokenLogprob(msgspec.Struct, frozen=True, array_like=True):
    """A token of an answer with its log probability (natural); `top`: the most likely tokens there."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One generation as the scheduler sees it. Nothing in it is taken from the client's word.

    `new_chars` is the length of the newest message in characters, `prompt_tokens` the size of the
    whole rendered prompt, `waited_s` how long it had waited when this process took it over (a restart
    sends nobody to the back of the queue), `weight` the user's share from the plan. `cache_salt`: whose
    cached prompts it may find (`EngineRequest`).
    """

    generation: str
    attempt: int
    user: str
    conversation: str
    messages: tuple[ChatMessage, ...]
    sampling: Sampling
    prompt_tokens: int
    max_tokens: int
    new_chars: int
    batch: bool = False
    weight: float = 1.0
    max_running: int | None = None
    waited_s: float = 0.0
    cache_salt: str = ""


class Usage(msgspec.Struct, frozen=True, omit_defaults=True):
    """Tokens and times of one generation; times in seconds, None where that did not happen.

    `reasoning_s`: from the first reasoning token to the first token of the answer.
    """

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    queue_s: float | None = None
    ttft_s: float | None = None
    total_s: float | None = None
    reasoning_s: float | None = None
