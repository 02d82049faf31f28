"""Estimate how long each waiting request will wait, corrected by the errors of past estimates.

Idea: simulate the queue through the slots. Every running request is expected to end after the mean rest of
answers that have come this far; every waiting one takes the slot that is free first and keeps it for its
class's usual time; heavy prefills follow one another, and so do large requests; requests beyond a cap wait
until as many slots are free as others shall find. What the simulation leaves out (later arrivals that
overtake) shows as a steady factor between estimate and actual wait, which is learnt per class; not from large
requests, which wait for memory.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence

from inference.request import RequestClass
from inference.scheduling.measurements import OutputLengths, TokenRate
from inference.scheduling.policy import CLASSES, Policy
from inference.scheduling.running import RunningRequest, RunningRequests
from inference.scheduling.waiting import WaitingRequest

GAIN = 0.1
"""Weight of one observation in the moving averages: about twenty requests of memory."""

MIN_LEARNED_WAIT_S = 1.0
"""Shorter waits are noise for the correction factor: one step decides them."""

MAX_CORRECTION = math.log(4.0)
"""An estimate that is off by more than four times is wrong for another reason than steady overtaking."""


class WaitEstimator:
    """Estimated waits of all waiting requests. None while no rate has been measured yet."""

    def __init__(
        self, policy: Policy, running: RunningRequests, lengths: OutputLengths, rate: TokenRate
    ) -> None:
        self._policy = policy
        self._running = running
        self._lengths = lengths
        self._rate = rate
        self._prefill_s: dict[RequestClass, float] = dict.fromkeys(CLASSES, 0.0)
        self._correction: dict[RequestClass, float] = dict.fromkeys(CLASSES, 0.0)
        self._forecasts: dict[str, tuple[float, float]] = {}

    def waits_s(
        self,
        ordered: Sequence[WaitingRequest],
        over_cap: Sequence[bool],
        now: float,
        *,
        large_pause_s: float = 0.0,
    ) -> list[float | None]:
        """Seconds until each of the requests starts. `ordered` is the order of service, `over_cap` says which
        of them are beyond a cap. Large ones follow one another, the first after `large_pause_s`."""
        rate = self._rate.output_per_s()
        if not rate or not self._running.requests:
            return [None] * len(ordered)
        stream_rate = rate / len(self._running.requests)
        general, reserved = self._free_s(stream_rate, len(ordered))
        shared = self._shared_slots(general)
        hold_s = {kind: self._prefill_s[kind] + self._lengths.mean(kind) / stream_rate for kind in CLASSES}
        factor = {kind: math.exp(self._correction[kind]) for kind in CLASSES}
        heavy_s, large_s = self._heavy_prefill_free_s(now), large_pause_s
        waits: list[float | None] = []
        for waiting, is_over_cap in zip(ordered, over_cap, strict=True):
            kind = waiting.kind
            quick = kind == "quick" and not is_over_cap
            slots = reserved if quick and reserved and reserved[0] < general[0] else general
            wait = max(slots[0], shared[0]) if is_over_cap else slots[0]
            if kind == "heavy":
                wait = max(wait, heavy_s)
                heavy_s = wait + self._prefill_s["heavy"]
            if waiting.large:
                wait = max(wait, large_s)
                large_s = wait + hold_s[kind]
            heapq.heapreplace(slots, wait + hold_s[kind])
            if slots is general:
                heapq.heapreplace(shared, max(shared[0], wait + hold_s[kind]))
            waits.append(wait * factor[kind])
            self._forecasts.setdefault(waiting.request.generation, (now, wait))
        return waits

    def started(self, waiting: WaitingRequest, now: float) -> None:
        """A request has started: learn its class's correction from the actual wait."""
        forecast = self._forecasts.pop(waiting.request.generation, None)
        if forecast is None or waiting.large or now - forecast[0] < MIN_LEARNED_WAIT_S or forecast[1] <= 0:
            return
        error = math.log((now - forecast[0]) / forecast[1])
        bounded = max(-MAX_CORRECTION, min(MAX_CORRECTION, error))
        self._correction[waiting.kind] += GAIN * (bounded - self._correction[waiting.kind])

    def discard(self, generation: str) -> None:
        """A waiting request was cancelled or expired."""
        self._forecasts.pop(generation, None)

    def first_token(self, run: RunningRequest, now: float) -> None:
        """A prefill is over: learn how long prefills of this class take."""
        kind = run.waiting.kind
        self._prefill_s[kind] += GAIN * (now - run.started - self._prefill_s[kind])

    def _free_s(self, stream_rate: float, waiting: int) -> tuple[list[float], list[float]]:
        """Seconds until each general and each reserved slot is free, as heaps."""
        general: list[float] = []
        reserved: list[float] = []
        for run in self._running.requests.values():
            room = run.waiting.request.max_tokens - run.produced
            rest = min(room, self._lengths.mean_residual(run.waiting.kind, run.produced))
            (reserved if run.reserved else general).append(max(0.0, rest / stream_rate))
        policy = self._policy
        general.extend([0.0] * max(0, min(policy.max_running - len(general), waiting)))
        reserved.extend([0.0] * max(0, policy.reserved_slots - len(reserved)))
        heapq.heapify(general)
        heapq.heapify(reserved)
        return general, reserved

    def _shared_slots(self, general: list[float]) -> list[float]:
        """The slots that users beyond their caps share, as a heap: the last to be free. So the first of them
        is free when no more than that many are taken."""
        free = self._policy.max_running - len(general)
        shared = heapq.nlargest(self._policy.beyond_cap_running, general + [0.0] * free)
        heapq.heapify(shared)
        return shared

    def _heavy_prefill_free_s(self, now: float) -> float:
        if not self._running.heavy_prefills:
            return 0.0
        began = max(
            (
                run.started
                for run in self._running.requests.values()
                if run.waiting.kind == "heavy" and not run.prefilled
            ),
            default=now,
        )
        return max(0.0, began + self._prefill_s["heavy"] - now)
