"""Order statistics of small samples. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import fmean, median


def percentile(samples: Iterable[float], p: float) -> float:
    """The p-th percentile (0..100), linearly interpolated; NaN of nothing."""
    ordered = sorted(samples)
    if not ordered:
        return math.nan
    place = (len(ordered) - 1) * p / 100
    low = math.floor(place)
    high = math.ceil(place)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def spread(samples: Sequence[float]) -> dict[str, float]:
    """Mean, p50, p95, p99 and maximum, in the samples' unit."""
    if not samples:
        return {"n": 0}
    quantiles = {f"p{p}": percentile(samples, p) for p in (50, 95, 99)}
    return {"n": len(samples), "mean": fmean(samples), **quantiles, "max": max(samples)}


def paired_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Median ratio ours/theirs of runs made in turn, so that a slow spell of the machine hits both sides."""
    if len(ours) != len(theirs) or not ours:
        raise ValueError(f"paired_ratio: {len(ours)} and {len(theirs)} runs cannot be paired")
    return median(a / b for a, b in zip(ours, theirs, strict=True))
