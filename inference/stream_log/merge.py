"""Joining deltas: what a slow reader, or a socket that coalesces, sends instead of many small frames."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from inference.stream_log.base import Delta, Event, Notice


def merge(events: Iterable[Event | Notice]) -> list[Event | Notice]:
    """The same news in fewer pieces: adjacent deltas become one, which carries the last one's seq.

    Applying the result gives the same text as applying the input. Nothing else is touched or moved.
    """
    merged: list[Event | Notice] = []
    run: list[Delta] = []
    for event in events:
        if isinstance(event, Delta):
            run.append(event)
            continue
        if run:
            merged.append(_join(run))
            run = []
        merged.append(event)
    if run:
        merged.append(_join(run))
    return merged


def _join(run: list[Delta]) -> Delta:
    if len(run) == 1:
        return run[0]
    return Delta(
        seq=run[-1].seq,
        text="".join(delta.text for delta in run),
        reasoning="".join(delta.reasoning for delta in run),
        tokens=run[-1].tokens,
        logprobs=tuple(chain.from_iterable(delta.logprobs for delta in run)),
    )
