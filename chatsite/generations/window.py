"""What of a long conversation fits the model's context: whole turns, from the newest back. Pure.

A turn is a question with all that follows it up to the next one. The system prompt always stays. Counting is
exact but costs time with every token, so the window is first guessed from the sizes of single messages,
newest first and no further than the limit, and then corrected by counting whole prompts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from chatsite.conversations.branch import Branch
from inference.request import ChatMessage

Count = Callable[[Sequence[ChatMessage]], int]


@dataclass(frozen=True)
class Window:
    """What the model is given: from the message `first` on (None: everything), so many tokens."""

    first: UUID | None
    tokens: int


def fit(branch: Branch, limit: int, count: Count) -> Window:
    """The longest window of at most `limit` tokens; the newest turn alone where nothing fits."""
    whole = count(branch.messages())
    starts = [turn.id for turn in branch.turns if turn.role == "user"]
    if whole <= limit or len(starts) < 2:
        return Window(None, whole)
    at = _guess(branch, starts, limit, count)
    tokens = count(branch.messages(starts[at]))
    while tokens <= limit and at > 1 and (more := count(branch.messages(starts[at - 1]))) <= limit:
        at, tokens = at - 1, more
    while tokens > limit and at < len(starts) - 1:
        at += 1
        tokens = count(branch.messages(starts[at]))
    return Window(starts[at], tokens)


def _guess(branch: Branch, starts: Sequence[UUID], limit: int, count: Count) -> int:
    """Index of the start that the sizes of single messages allow; never 0, since the whole is too long."""
    left, at, first = limit, len(starts) - 1, True
    for turn in reversed(branch.turns):
        left -= count([ChatMessage("user", turn.content)])
        if left < 0 and not first:
            return at
        if turn.role == "user":
            at, first = max(1, starts.index(turn.id)), False
    return at
