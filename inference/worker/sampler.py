"""Samples of load for the console: the status of each second, folded into one sample every SAMPLE_S."""

from __future__ import annotations

from collections.abc import Callable

from django.utils import timezone
from msgspec.structs import replace

from chatsite.backends import status_store
from chatsite.database import read
from chatsite.generations.latency import read_latency
from inference.status import SAMPLE_S, InferenceStatus, Sample

SAMPLES_S = 1.0
"""The status changes every second; a burst between two samples is still seen."""


class Fold:
    """Boards since the last sample. Pure."""

    def __init__(self) -> None:
        self._statuses: list[InferenceStatus] = []

    def add(self, status: InferenceStatus) -> Sample | None:
        """The sample, without latencies, that this status completes."""
        statuses = self._statuses
        statuses.append(status)
        if status.at - statuses[0].at < SAMPLE_S - SAMPLES_S:
            return None
        self._statuses = []
        return Sample(
            at=status.at,
            running=max(sum(one.running.values()) for one in statuses),
            waiting=max(sum(one.waiting.values()) for one in statuses),
            tokens_per_s=sum(one.tokens_per_s for one in statuses) / len(statuses),
        )


class Sampler:
    """Records samples. `status` reads the dispatcher's present one."""

    def __init__(self, status: Callable[[], InferenceStatus]) -> None:
        self._status = status
        self._fold = Fold()

    async def poll(self) -> None:
        """Read the status, and record a sample when it is time. One that fails leaves a gap."""
        sample = self._fold.add(self._status())
        if sample is not None:
            latency = await read(read_latency, timezone.now())
            await status_store().record(replace(sample, ttft_p95_s=latency.p95 if latency else None))
