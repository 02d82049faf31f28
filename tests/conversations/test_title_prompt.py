"""What of a model's words becomes a title."""

from __future__ import annotations

import pytest

from chatsite.conversations.models import TITLE_CHARS
from chatsite.conversations.title_prompt import EXCERPT_CHARS, parse_title, title_prompt


@pytest.mark.parametrize(
    ("answer", "title"),
    [
        ("Blue Sky Explained", "Blue Sky Explained"),
        ('"Blue Sky Explained."', "Blue Sky Explained"),
        ("**Title:** Blue Sky", "Blue Sky"),
        ("# Blue   Sky\n\nThis conversation is about", "Blue Sky"),
        ("标题：《天空为什么是蓝色的》。", "天空为什么是蓝色的"),
        ("  \n`Blue Sky`\n", "Blue Sky"),
        ("“天空的颜色”", "天空的颜色"),
        ("C++ or Rust?", "C++ or Rust?"),
    ],
)
def test_marks_around_it_are_taken_off(answer: str, title: str) -> None:
    assert parse_title(answer, "stop") == title


@pytest.mark.parametrize(
    "answer", ["", "  \n ", '""', "—", "###", "x" * (TITLE_CHARS + 1), "blue\x07sky", "right‮left"]
)
def test_what_is_no_line_of_words_is_no_title(answer: str) -> None:
    assert parse_title(answer, "stop") is None


def test_a_line_that_was_cut_is_no_title_and_one_that_ended_is() -> None:
    assert parse_title("The title of this", "length") is None
    assert parse_title("Blue Sky\nThe sky is", "length") == "Blue Sky"


def test_only_the_beginnings_are_read() -> None:
    text = title_prompt("q" * 10_000, "a" * 10_000)
    assert len(text) < 3 * EXCERPT_CHARS
