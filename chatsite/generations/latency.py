"""Time to first token of the answers that ended in the last minutes: for the console."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from chatsite.generations.models import Generation

RECENT = timedelta(minutes=5)
"""What "now" means for latencies: long enough for a sample, short enough to be news."""


@dataclass(frozen=True)
class Latency:
    """Seconds from the question's commit to its first text."""

    p50: float
    p95: float


def read_latency(now: datetime) -> Latency | None:
    """Of all that ended within RECENT and had text; None where nothing did."""
    usages = Generation.objects.filter(finished_at__gte=now - RECENT).values_list("usage", flat=True)
    times = sorted(usage["ttft_s"] for usage in usages if usage.get("ttft_s") is not None)
    if not times:
        return None
    return Latency(times[len(times) // 2], times[min(len(times) - 1, int(len(times) * 0.95))])
