"""Long conversations: whole turns from the newest, the system prompt kept, exact counts."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from chatsite.conversations.branch import Branch, Turn
from chatsite.generations.context import fit_conversation
from inference.request import ChatMessage

ROLES = ("user", "assistant")


def count(messages: Sequence[ChatMessage]) -> int:
    """A token for each character, and three around each message."""
    return sum(len(message.content) + 3 for message in messages)


def branch_of(sizes: Sequence[int], system: str = "") -> Branch:
    turns = (Turn(uuid4(), ROLES[number % 2], "x" * size) for number, size in enumerate(sizes))
    return Branch(system, tuple(turns))


def test_what_fits_is_given_whole() -> None:
    branch = branch_of([10, 10, 10], "Be brief.")
    assert fit_conversation(branch, 51, count).first is None
    assert fit_conversation(branch, 51, count).tokens == 12 + 39


def test_the_oldest_turn_goes_first_and_goes_whole() -> None:
    branch = branch_of([10, 10, 10, 10, 10], "Be brief.")
    window = fit_conversation(branch, 76, count)
    assert window.first == branch.turns[2].id
    assert branch.messages(window.first)[0] == ChatMessage("system", "Be brief.")
    assert len(branch.messages(window.first)) == 4
    assert window.tokens == 12 + 39


def test_the_newest_question_stays_even_where_it_does_not_fit() -> None:
    branch = branch_of([10, 10, 500])
    window = fit_conversation(branch, 100, count)
    assert (window.first, window.tokens) == (branch.turns[2].id, 503)


def test_system_turns_of_a_programs_conversation_stay() -> None:
    system = Turn(uuid4(), "system", "Be brief.")
    rest = branch_of([50, 50, 10]).turns
    branch = Branch("", (system, *rest))
    window = fit_conversation(branch, 60, count)
    assert branch.messages(window.first) == (
        ChatMessage("system", "Be brief."),
        ChatMessage("user", rest[2].content),
    )


@given(sizes=st.lists(st.integers(0, 60), min_size=1, max_size=15), limit=st.integers(1, 700))
def test_no_longer_window_would_fit(sizes: list[int], limit: int) -> None:
    branch = branch_of(sizes if len(sizes) % 2 else sizes[:-1] or [1])
    window = fit_conversation(branch, limit, count)
    starts: list[UUID | None] = [turn.id for turn in branch.turns if turn.role == "user"]
    starts[0] = None
    fitting = [start for start in starts if count(branch.messages(start)) <= limit]
    assert window.first == (fitting[0] if fitting else starts[-1])
    assert window.tokens == count(branch.messages(window.first))
