"""Running requests and what they hold: slots, KV tokens, the heavy prefill; admission of the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from inference.request import RequestClass
from inference.scheduling.measurements import OutputLengths
from inference.scheduling.policy import CLASSES, Policy
from inference.scheduling.waiting import WaitingRequest

Admission = Literal["general", "reserved", "slots", "prefill", "kv"]
"""Where a request may start (general or reserved slot), or what it has to wait for."""


@dataclass(slots=True, eq=False)
class RunningRequest:
    """One running request. `kv_tokens` are reserved for it, `charged` is its provisional prompt cost."""

    waiting: WaitingRequest
    started: float
    reserved: bool
    kv_tokens: int
    charged: float
    progressed: float
    prefilled: bool = False
    corrected: bool = False
    prompt_tokens: int = 0
    produced: int = 0


class RunningRequests:
    """All running requests, counted by class and user. `kv_tokens` is the size of the engine's KV cache."""

    def __init__(self, policy: Policy, kv_tokens: int, lengths: OutputLengths) -> None:
        self.policy = policy
        self.requests: dict[str, RunningRequest] = {}
        self.of_user: dict[str, int] = {}
        self.heavy_of_user: dict[str, int] = {}
        self.of_class: dict[RequestClass, int] = dict.fromkeys(CLASSES, 0)
        self.reserved: dict[str, int] = {}
        self.reserved_count = 0
        self.prefill_tokens = 0
        self.heavy_prefills = 0
        self.large_count = 0
        self.kv_general = 0
        self.kv_reserved = 0
        self.kv_large = 0
        self._kv_tokens = kv_tokens
        self._lengths = lengths

    def set_kv_tokens(self, kv_tokens: int) -> None:
        """Set the size of the engine's KV cache."""
        self._kv_tokens = kv_tokens

    @property
    def kv_budget(self) -> int:
        """KV tokens for general slots: all that large requests hold, whose length is mostly known, and of the
        rest the share that is safe for answers of unknown length."""
        return self.kv_large + int((self._kv_tokens - self.kv_large) * self.policy.kv_budget)

    @property
    def _kv_reserved_budget(self) -> int:
        """KV tokens for reserved slots, apart from the others: if these held general ones, a request of the
        cache's size might never fit."""
        return round(self._kv_tokens * (self.policy.reserved_kv_budget - self.policy.kv_budget))

    @property
    def large_threshold(self) -> int:
        """Prompts of more tokens than this are large."""
        return int(self._kv_tokens * self.policy.kv_budget * self.policy.large_kv_share)

    @property
    def general_count(self) -> int:
        return len(self.requests) - self.reserved_count

    def likely_output(self, kind: RequestClass) -> float:
        """Mean output length of a class, in tokens."""
        return self._lengths.mean(kind)

    def kv_need(self, waiting: WaitingRequest) -> int:
        """Prompt plus likely output. Never above what there is: the largest request still runs alone."""
        request = waiting.request
        output = min(request.max_tokens, self._lengths.p90(waiting.kind))
        share = 1.0 if waiting.large else self.policy.kv_budget
        return min(request.prompt_tokens + output, int(self._kv_tokens * share))

    def admission(
        self, waiting: WaitingRequest, *, general: bool = True, reserved: bool = False
    ) -> Admission:
        """Whether the request may start now, given which kinds of slot it may use."""
        if waiting.kind == "heavy" and self.heavy_prefills >= self.policy.heavy_prefills:
            return "prefill"
        need = self.kv_need(waiting)
        free = len(self.requests) < self.policy.slots
        room = free and self.general_count < self.policy.max_running
        if general and room and self._general_fits(waiting, need):
            return "general"
        if free and reserved and self._reserved_fits(waiting, need):
            return "reserved"
        return "kv" if room else "slots"

    def start(
        self, waiting: WaitingRequest, now: float, admission: Admission, charged: float
    ) -> RunningRequest:
        """Start a request in a slot."""
        run = RunningRequest(
            waiting=waiting,
            started=now,
            reserved=admission == "reserved",
            kv_tokens=self.kv_need(waiting),
            charged=charged,
            progressed=now,
            prompt_tokens=waiting.request.prompt_tokens,
        )
        user = waiting.request.user
        self.requests[waiting.request.generation] = run
        self.of_class[waiting.kind] += 1
        self.prefill_tokens += waiting.uncached_tokens
        _add(self.of_user, user, 1)
        self.large_count += waiting.large
        if waiting.kind == "heavy":
            _add(self.heavy_of_user, user, 1)
            self.heavy_prefills += 1
        self._count_slot(run, 1)
        return run

    def remove(self, generation: str) -> RunningRequest | None:
        """Remove a request; None if it does not run."""
        run = self.requests.pop(generation, None)
        if run is None:
            return None
        user, kind = run.waiting.request.user, run.waiting.kind
        self.of_class[kind] -= 1
        self.large_count -= run.waiting.large
        self.prefill_tokens -= 0 if run.prefilled else run.waiting.uncached_tokens
        _add(self.of_user, user, -1)
        if kind == "heavy":
            _add(self.heavy_of_user, user, -1)
            self.heavy_prefills -= 0 if run.prefilled else 1
        self._count_slot(run, -1)
        return run

    def mark_prefilled(self, run: RunningRequest, prompt_tokens: int) -> None:
        """Its prompt is computed: the next heavy prefill may begin."""
        if not run.prefilled:
            self.prefill_tokens -= run.waiting.uncached_tokens
            self.heavy_prefills -= 1 if run.waiting.kind == "heavy" else 0
        run.prefilled = True
        run.prompt_tokens = prompt_tokens
        self._grow_kv(run)

    def add_output(self, run: RunningRequest, tokens: int, now: float) -> None:
        """Add output tokens: the reservation grows when they exceed it; a long quick answer becomes
        general."""
        run.produced += tokens
        run.progressed = now
        if run.prompt_tokens + run.produced > run.kv_tokens:
            self._grow_kv(run)
        if run.reserved and run.produced >= self.policy.reserved_output_tokens:
            self._count_slot(run, -1)
            run.reserved = False
            self._count_slot(run, 1)

    def _general_fits(self, waiting: WaitingRequest, need: int) -> bool:
        large = self.kv_large + (need if waiting.large else 0)
        small = self.kv_general + (0 if waiting.large else need)
        return small <= int((self._kv_tokens - large) * self.policy.kv_budget)

    def _reserved_fits(self, waiting: WaitingRequest, need: int) -> bool:
        return (
            self.reserved_count < self.policy.reserved_slots
            and waiting.request.user not in self.reserved
            and self.kv_reserved + need <= self._kv_reserved_budget
        )

    def _grow_kv(self, run: RunningRequest) -> None:
        held = run.prompt_tokens + run.produced
        if held > run.kv_tokens:
            self._reserve_kv(run, held - run.kv_tokens)
            run.kv_tokens = held

    def _count_slot(self, run: RunningRequest, sign: int) -> None:
        if run.reserved:
            self.reserved_count += sign
            _add(self.reserved, run.waiting.request.user, sign)
        self._reserve_kv(run, sign * run.kv_tokens)

    def _reserve_kv(self, run: RunningRequest, tokens: int) -> None:
        if run.reserved:
            self.kv_reserved += tokens
        elif run.waiting.large:
            self.kv_large += tokens
        else:
            self.kv_general += tokens


def _add(counts: dict[str, int], key: str, change: int) -> None:
    """Change a count and drop it at zero, so that only present users have an entry."""
    value = counts.get(key, 0) + change
    if value:
        counts[key] = value
    else:
        counts.pop(key, None)
