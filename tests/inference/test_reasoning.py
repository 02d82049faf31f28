"""Thought and answer are told apart, however the text is cut into tokens."""

from __future__ import annotations

import random

import pytest

from inference.dispatch.active_generation import ActiveGeneration, Ending
from inference.engines.base import Output
from inference.reasoning import Reasoning, ReasoningSplitter
from inference.request import ChatMessage, Request, Sampling


def split(pieces: list[str], kind: Reasoning = "auto") -> tuple[str, str]:
    splitter = ReasoningSplitter(kind)
    parts = [splitter.feed(piece, last=at == len(pieces) - 1) for at, piece in enumerate(pieces)]
    return "".join(part[0] for part in parts), "".join(part[1] for part in parts)


TEXTS: list[tuple[Reasoning, str, tuple[str, str]]] = [
    ("auto", "<think>\nHm.\n</think>\n\nBecause.", ("Because.", "Hm.\n")),
    ("auto", "\n<think>Hm.</think>Because.", ("Because.", "Hm.")),
    ("auto", "Because <think> is a mark.", ("Because <think> is a mark.", "")),
    ("auto", "<thin ice>", ("<thin ice>", "")),
    ("auto", "<", ("<", "")),
    ("auto", "<think>a < b and </thin", ("", "a < b and </thin")),
    ("auto", "<think></think>Because.", ("Because.", "")),
    ("auto", "<think>x</think>Then </think> again", ("Then </think> again", "x")),
    ("opened", "Hm.</think>\nBecause.", ("Because.", "Hm.")),
    ("off", "<think>Hm.</think>Because.", ("<think>Hm.</think>Because.", "")),
]


@pytest.mark.parametrize(("kind", "text", "parts"), TEXTS)
def test_the_cut_does_not_matter(kind: Reasoning, text: str, parts: tuple[str, str]) -> None:
    assert split([text], kind) == parts
    assert split(list(text), kind) == parts
    draw = random.Random(7)
    for _ in range(20):
        cuts = sorted(draw.sample(range(len(text) + 1), min(3, len(text))))
        bounds = zip([0, *cuts], [*cuts, len(text)], strict=True)
        assert split([text[start:end] for start, end in bounds], kind) == parts


def active(role: str = "user") -> ActiveGeneration:
    request = Request(
        generation="g",
        attempt=1,
        user="u",
        conversation="c",
        messages=(ChatMessage(role, "Why?"),),  # type: ignore[arg-type]
        sampling=Sampling(),
        prompt_tokens=3,
        max_tokens=50,
        new_chars=4,
    )
    return ActiveGeneration(request, "quick", 0.0)


def test_a_generation_keeps_both_and_says_how_long_it_thought() -> None:
    found = active()
    found.started_at = 1.0
    for now, text in [(2.0, "<think>"), (3.0, "Hm."), (5.5, "</think>Because")]:
        found.take(Output("g", text, new_tokens=1), now)
    found.take(Output("g", ".", new_tokens=1, finish_reason="stop"), 6.0)
    outcome = found.end(Ending("finished", "stop"), "", 6.0)
    assert (outcome.text, outcome.reasoning) == ("Because.", "Hm.")
    assert outcome.usage.reasoning_s == 2.5
    assert (outcome.usage.ttft_s, outcome.usage.completion_tokens) == (3.0, 4)


def test_a_held_piece_comes_with_the_end() -> None:
    found = active()
    assert found.take(Output("g", "<thi", new_tokens=1), 1.0) is None
    last = found.take(Output("g", "", finish_reason="length"), 2.0)
    assert last is not None
    assert last.text == found.text == "<thi"


def test_a_raw_prompt_is_gone_on_with_as_it_is() -> None:
    found = active("raw")
    found.take(Output("g", "<think>Hm.</think>x", new_tokens=1), 1.0)
    assert found.text == "<think>Hm.</think>x"
