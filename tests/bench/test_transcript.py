"""Delays and losses, judged on streams whose truth is written by hand."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from tests.support.chat_client import Stream
from tests.support.transcript import Made, delays, judge, read

MADE = Made([(1.0, 2), (1.05, 5), (1.10, 6)], "abcdef")


def stream(text, arrivals, generation="g"):
    return Stream(0, 0.9, finished=2.0, generation=generation, text=text, arrivals=arrivals)


def test_delay_counts_until_the_last_character_of_a_step_is_here():
    one = stream("abcdef", [(1.01, 1, 2), (1.06, 2, 2), (1.08, 3, 1), (1.2, 4, 1)])
    assert list(delays(one, MADE)) == pytest.approx([0.01, 0.03, 0.1])


def test_joined_deltas_delay_every_step_that_they_bring():
    one = stream("abcdef", [(1.3, 3, 6)])
    assert list(delays(one, MADE)) == pytest.approx([0.3, 0.25, 0.2])


def test_a_stream_cut_short_gives_the_delays_that_it_has():
    assert list(delays(stream("ab", [(1.01, 1, 2)]), MADE)) == pytest.approx([0.01])


@pytest.mark.parametrize(
    ("text", "lost", "doubled", "altered"),
    [("abcdef", 0, 0, 0), ("abcde", 1, 0, 0), ("abcdeff", 0, 1, 0), ("abcdeX", 0, 0, 1)],
)
def test_received_text_is_judged_by_what_the_engine_made(text, lost, doubled, altered):
    judged = judge([stream(text, [(1.2, 1, len(text))])], {"g": MADE})
    assert (judged.lost, judged.doubled, judged.altered) == (lost, doubled, altered)


def test_the_transcript_is_read_by_generation(tmp_path):
    generation = str(uuid4())
    lines = [{"at": 1.0, "made": {f"{generation}:1": "ab"}}, {"at": 1.05, "made": {f"{generation}:1": "c"}}]
    path = tmp_path / "transcript"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert read(path) == {generation: Made([(1.0, 2), (1.05, 3)], "abc")}
