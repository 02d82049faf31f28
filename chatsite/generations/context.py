"""Fit a question into the context: its limits, whole turns of the conversation, truncated documents. Pure."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from chatsite.attachments.prompt import Excerpt
from chatsite.conversations.branch import Branch
from chatsite.errors import Refusal
from chatsite.quotas.plans import EffectiveLimits
from inference.request import MAX_TOKENS, ChatMessage


@dataclass(frozen=True)
class ContextLimit:
    """`tokens` for prompt and answer together, by what `name` says; `wanted` for the answer."""

    tokens: int
    name: str
    wanted: int

    @property
    def prompt_room(self) -> int:
        """Tokens that a prompt is fitted into; the answer keeps what is wanted, a quarter at most."""
        return self.tokens - min(self.wanted, self.tokens // 4)

    def output_room(self, prompt_tokens: int) -> int:
        """Tokens for the answer. Raises Refusal `too_long` where the prompt leaves none."""
        if prompt_tokens >= self.tokens:
            raise Refusal(
                "too_long",
                f"This needs {prompt_tokens:,} tokens; {self.name} is {self.tokens:,}. "
                "Shorten it, or use only the beginning of its documents.",
                needed=prompt_tokens,
                most=self.tokens,
            )
        return min(self.wanted, self.tokens - prompt_tokens)


def context_limit(model_tokens: int, limits: EffectiveLimits, wanted: int) -> ContextLimit:
    """The smaller of the model's context (0: not known) and the plan's."""
    tokens, name = min(
        (model_tokens or sys.maxsize, "the model's context"),
        (limits.max_context or sys.maxsize, f"the context of plan {limits.why.get('max_context', '')}"),
    )
    return ContextLimit(tokens, name, min(wanted, limits.max_output or MAX_TOKENS, MAX_TOKENS))


Count = Callable[[Sequence[ChatMessage]], int]


@dataclass(frozen=True)
class ContextWindow:
    """What the model is given: from the message `first` on (None: everything), so many tokens."""

    first: UUID | None
    tokens: int


def fit_conversation(branch: Branch, limit: int, count: Count) -> ContextWindow:
    """The longest window of at most `limit` tokens; the newest turn alone where nothing fits."""
    whole = count(branch.messages())
    starts = [turn.id for turn in branch.turns if turn.role == "user"]
    if whole <= limit or len(starts) < 2:
        return ContextWindow(None, whole)
    at = _guess_start(branch, starts, limit, count)
    tokens = count(branch.messages(starts[at]))
    while tokens <= limit and at > 1 and (more := count(branch.messages(starts[at - 1]))) <= limit:
        at, tokens = at - 1, more
    while tokens > limit and at < len(starts) - 1:
        at += 1
        tokens = count(branch.messages(starts[at]))
    return ContextWindow(starts[at], tokens)


def _guess_start(branch: Branch, starts: Sequence[UUID], limit: int, count: Count) -> int:
    """Index of the start that the sizes of single messages allow; never 0, since the whole is too long."""
    left, at, first = limit, len(starts) - 1, True
    for turn in reversed(branch.turns):
        left -= count([ChatMessage("user", turn.content)])
        if left < 0 and not first:
            return at
        if turn.role == "user":
            at, first = max(1, starts.index(turn.id)), False
    return at


MAX_ROUNDS = 8
"""Each comes closer by a few tokens; three are usual."""

CAUTION = 0.998
"""Tokens are not spread evenly over a text: aim a little below."""


def truncate_documents(
    documents: Sequence[Excerpt],
    beginnings: Sequence[bool],
    limit: int,
    count: Callable[[Sequence[Excerpt]], int],
) -> list[Excerpt]:
    """The documents, those that may be truncated cut by one share until all fit in `limit` tokens.

    `count` gives the tokens of the whole message with these documents. Where even nothing of them fits, they
    come back empty: the caller refuses the message for what it has besides.
    """
    found = list(documents)
    whole = count(found)
    if whole <= limit or not any(beginnings):
        return found
    bare = count(_truncated(documents, beginnings, 0))
    share = 1.0
    tokens = whole
    for _ in range(MAX_ROUNDS):
        share *= CAUTION * max(0.0, (limit - bare) / max(1, tokens - bare))
        found = _truncated(documents, beginnings, share)
        tokens = count(found)
        if tokens <= limit:
            return found
    return _truncated(documents, beginnings, 0)


def _truncated(documents: Sequence[Excerpt], beginnings: Sequence[bool], share: float) -> list[Excerpt]:
    return [
        replace(document, text=document.text[: int(len(document.text) * share)], of=len(document.text))
        if beginning
        else document
        for document, beginning in zip(documents, beginnings, strict=True)
    ]
