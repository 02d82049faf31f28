"""Sparklines of the Live page: SVG paths of the last half hour's samples. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from inference.status import SAMPLE_S, SAMPLES_KEPT, Sample

WIDTH, HEIGHT = 120, 24
"""Units of the drawing; a sample is one wide."""

SPAN_S = SAMPLE_S * SAMPLES_KEPT

GAP_S = 2.5 * SAMPLE_S
"""Samples further apart are not joined: nobody measured in between."""

FIGURES = ("running", "waiting", "tokens_per_s", "ttft_p95_s")


@dataclass(frozen=True)
class Trend:
    """A sparkline. `path` is an SVG's `d`, from 0,0 at the top left to WIDTH,HEIGHT; zero at the bottom."""

    path: str
    least: float
    most: float


def trends(samples: Sequence[Sample], now: float) -> dict[str, Trend | None]:
    """A trend of each figure; None where nothing was measured. `now` is wall-clock seconds."""
    recent = [sample for sample in samples if now - SPAN_S <= sample.at <= now + SAMPLE_S]
    return {name: _trend(name, recent, now) for name in FIGURES}


def _trend(name: str, samples: Iterable[Sample], now: float) -> Trend | None:
    known = [(one.at, value) for one in samples if (value := getattr(one, name)) is not None]
    if not known:
        return None
    values = [value for _at, value in known]
    top = max(values) or 1
    path, before = "", float("-inf")
    for at, value in known:
        x = WIDTH * (1 - max(0.0, now - at) / SPAN_S)
        # A step of no length: with round ends, a point that has no neighbour is still a dot.
        pen = "L" if at - before <= GAP_S else "M"
        point = f"{x:.1f} {HEIGHT * (1 - value / top):.1f}"
        path += f"{pen}{point}" + ("h0" if pen == "M" else "")
        before = at
    return Trend(path, min(values), max(values))
