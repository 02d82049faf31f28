"""When it will be one's turn: a forecast of slots becoming free, corrected by how past forecasts went.

Idea: play the line through the slots. Every running request is expected to leave after the mean rest
of answers that have come this far; every waiting one takes the slot that is free first and keeps it for
its class's usual time; heavy prefills follow one another, and so do large requests; who is beyond a cap
waits until as many slots are free as others shall find. What the play leaves out (later arrivals that
overtake) shows as a steady factor between forecast and truth, which is learnt per class; not from large
requests, which wait for memory.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence

from inference.request import RequestClass
from inference.scheduling.output_lengths import OutputLengths
from inference.scheduling.policy import CLASSES, Policy
from inference.scheduling.running import Run, Running
from inference.scheduling.token_rate import TokenRate
from inference.scheduling.waiting import Waiting

GAIN = 0.1
"""Weight of one observation in the moving averages: about twenty requests of memory."""

WORTH_LEARNING_S = 1.0
"""Shorter waits are noise for the correction factor: one step decides them."""

LARGEST_CORRECTION = math.log(4.0)
"""A forecast that is off by more than four times is wrong for another reason than steady overtaking."""


class Estimate:
    """Forecasts for everybody in line. None while no rate has been measured yet."""

    def __init__(self, policy: Policy, running: Running, lengths: OutputLengths, rate: TokenRate) -> None:
        self._policy = policy
        self._running = running
        self._lengths = lengths
        self._rate = rate
        self._prefill_s: dict[RequestClass, float] = dict.fromkeys(CLASSES, 0.0)
        self._correction: dict[RequestClass, float] = dict.fromkeys(CLASSES, 0.0)
        self._told: dict[str, tuple[float, float]] = {}

    def waits_s(
        self, line: Sequence[Waiting], beyond: Sequence[bool], now: float, *, large_pause_s: float = 0.0
    ) -> list[float | None]:
        """Seconds until each request of the line starts, in the order of the line. `beyond`: who of them
        is beyond a cap. Large ones follow one another, the first after `large_pause_s`."""
        rate = self._rate.output_per_s()
        if not rate or not self._running.runs:
            return [None] * len(line)
        stream_rate = rate / len(self._running.runs)
        general, reserved = self._free_s(stream_rate, len(line))
        shared = self._shared(general)
        hold_s = {kind: self._prefill_s[kind] + self._lengths.mean(kind) / stream_rate for kind in CLASSES}
        factor = {kind: math.exp(self._correction[kind]) for kind in CLASSES}
        heavy_s, large_s = self._heavy_free_s(now), large_pause_s
        waits: list[float | None] = []
        for waiting, is_beyond in zip(line, beyond, strict=True):
            kind = waiting.kind
            quick = kind == "quick" and not is_beyond
            slots = reserved if quick and reserved and reserved[0] < general[0] else general
            wait = max(slots[0], shared[0]) if is_beyond else slots[0]
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
            self._told.setdefault(waiting.request.generation, (now, wait))
        return waits

    def started(self, waiting: Waiting, now: float) -> None:
        """A forecast met the truth: learn the class's correction."""
        told = self._told.pop(waiting.request.generation, None)
        if told is None or waiting.large or now - told[0] < WORTH_LEARNING_S or told[1] <= 0:
            return
        error = math.log((now - told[0]) / told[1])
        bounded = max(-LARGEST_CORRECTION, min(LARGEST_CORRECTION, error))
        self._correction[waiting.kind] += GAIN * (bounded - self._correction[waiting.kind])

    def left(self, generation: str) -> None:
        """A waiting request went away."""
        self._told.pop(generation, None)

    def first_token(self, run: Run, now: float) -> None:
        """A prefill is over: how long prefills of this class take."""
        kind = run.waiting.kind
        self._prefill_s[kind] += GAIN * (now - run.started - self._prefill_s[kind])

    def _free_s(self, stream_rate: float, waiting: int) -> tuple[list[float], list[float]]:
        """Seconds until each general and each reserved slot is free, as heaps."""
        general: list[float] = []
        reserved: list[float] = []
        for run in self._running.runs.values():
            room = run.waiting.request.max_tokens - run.produced
            rest = min(room, self._lengths.mean_residual(run.waiting.kind, run.produced))
            (reserved if run.reserved else general).append(max(0.0, rest / stream_rate))
        policy = self._policy
        general.extend([0.0] * max(0, min(policy.max_running - len(general), waiting)))
        reserved.extend([0.0] * max(0, policy.reserved_slots - len(reserved)))
        heapq.heapify(general)
        heapq.heapify(reserved)
        return general, reserved

    def _shared(self, general: list[float]) -> list[float]:
        """The slots that users beyond their caps share, as a heap: the last to be free. So the first of
        them is free when no more than that many are taken."""
        free = self._policy.max_running - len(general)
        shared = heapq.nlargest(self._policy.beyond_cap_running, general + [0.0] * free)
        heapq.heapify(shared)
        return shared

    def _heavy_free_s(self, now: float) -> float:
        if not self._running.heavy_prefills:
            return 0.0
        began = max(
            (
                run.started
                for run in self._running.runs.values()
                if run.waiting.kind == "heavy" and not run.prefilled
            ),
            default=now,
        )
        return max(0.0, began + self._prefill_s["heavy"] - now)
