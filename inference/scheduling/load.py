"""Pictures of the scheduler: one waiting request's place, and the whole load."""

from __future__ import annotations

import msgspec

from inference.request import RequestClass


class Place(msgspec.Struct, frozen=True):
    """Where a request stands: position from 1 in the order of service, expected wait in seconds."""

    generation: str
    position: int
    kind: RequestClass
    user: str
    eta_s: float | None


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What waits and runs, by class and by user; KV tokens promised and the budget they count against."""

    waiting: dict[str, int]
    running: dict[str, int]
    waiting_by_user: dict[str, int]
    running_by_user: dict[str, int]
    kv_tokens: int
    kv_budget: int
    reserved: int
    slots: int
    queued_tokens: int
    tokens_per_s: float
