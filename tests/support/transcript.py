"""What the emulated engine says it made, and when, beside what people received.

The engine writes a line per step: {"at": seconds, "made": {request id: text}}. `at` is when the step
was due by its timing model, so an engine held up by a busy event loop counts against the site. Both
ends read CLOCK_MONOTONIC, which all processes of one Linux machine share.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.chat_client import Stream

UUID_CHARS = 36
"""A request id begins with its generation's."""


@dataclass
class Made:
    """One generation's output: for every step when it was due and the characters so far; and the text."""

    steps: list[tuple[float, int]] = field(default_factory=list)
    text: str = ""


def read(path: Path) -> dict[str, Made]:
    """Generation → what was made of it."""
    made: dict[str, Made] = defaultdict(Made)
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            step = json.loads(line)
            for request, text in step["made"].items():
                one = made[request[:UUID_CHARS]]
                one.text += text
                one.steps.append((step["at"], len(one.text)))
    return dict(made)


def delays(stream: Stream, made: Made) -> Iterator[float]:
    """Seconds from when each step was due to when its last character had reached the person."""
    arrivals = iter(stream.arrivals)
    held, at = 0, 0.0
    for due, chars in made.steps:
        while held < chars:
            arrival = next(arrivals, None)
            if arrival is None:
                return
            at, held = arrival[0], held + arrival[2]
        yield at - due


@dataclass(frozen=True)
class Judgement:
    """Streams judged against the engine: `lost` received less, `doubled` more, `altered` something else."""

    delays_s: list[float]
    lost: int
    doubled: int
    altered: int


def judge(streams: Iterable[Stream], made: dict[str, Made]) -> Judgement:
    """Compare every finished stream with what the engine made of it."""
    late: list[float] = []
    lost = doubled = altered = 0
    for stream in streams:
        if stream.finished is None:
            continue
        truth = made.get(stream.generation, Made())
        late.extend(delays(stream, truth))
        lost += len(stream.text) < len(truth.text)
        doubled += len(stream.text) > len(truth.text)
        altered += len(stream.text) == len(truth.text) and stream.text != truth.text
    return Judgement(late, lost, doubled, altered)
