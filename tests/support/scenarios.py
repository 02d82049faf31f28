"""The `scheduling` scenarios of the benchmark, simulated: sides that differ in order alone.

Each function plays one load on every side and returns {side: figures}, with the raw samples in the
figures. Deadlines of the queue are lifted where FIFO would otherwise lose its slowest requests to them
and look better for it; scenario (c) keeps them, since they bound its queue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from inference.engines.emulated.timing import PRESETS, Timing
from inference.scheduling.fair_queue import FairQueue
from inference.scheduling.policy import Policy
from inference.scheduling.request_queue import FifoQueue, QueueFactory, StrictPriorityQueue
from inference.scheduling.scheduler import Scheduler
from tests.support.loads import ClosedLoop, arrivals
from tests.support.simulation import Load, Simulation, Trace
from tests.support.workload import Ask, draw, sized

CARD = PRESETS["4090d"]

PATIENT: dict[str, Any] = {
    "first_token_timeout_s": 1e6,
    "heavy_first_token_timeout_s": 1e6,
    "total_timeout_s": 1e6,
    "heavy_total_timeout_s": 1e6,
}
"""Nobody is sent away, so every wait is measured."""

OPEN_DOORS: dict[str, Any] = {
    "queue_quick": 10**6,
    "queue_normal": 10**6,
    "queue_heavy": 10**6,
    "queue_user": 10**6,
}
"""Nobody is refused, so every side serves the same requests."""


SIDES = ("fifo", "strict", "ours")


def sides(policy: Policy, only: Sequence[str] = SIDES) -> dict[str, tuple[Policy, QueueFactory]]:
    """FIFO, strict three classes and ours (or some of them), with the same number of slots."""
    plain = msgspec.structs.replace(policy, max_running=policy.slots, reserved_slots=0)
    every = {"fifo": (plain, FifoQueue), "strict": (plain, StrictPriorityQueue), "ours": (policy, FairQueue)}
    return {name: every[name] for name in only}


def play(
    policy: Policy,
    order: QueueFactory,
    loads: Iterable[Load],
    *,
    until_s: float,
    warm_up_s: float,
    engine: Timing = CARD,
) -> dict[str, Any]:
    """One side: run, drop what was asked while warming up, and give figures and samples."""
    simulation = Simulation(Scheduler(policy, engine.kv_tokens, order), engine, loads)
    traces = [trace for trace in simulation.run(until_s) if trace.asked_s >= warm_up_s]
    output = sum(count for at, count in simulation.output_tokens if at >= warm_up_s)
    prompts = sum(
        trace.ask.prompt_tokens
        for trace in simulation.traces
        if trace.first_s is not None and trace.first_s >= warm_up_s
    )
    return {
        "tokens_per_s": (output + prompts) / (until_s - warm_up_s),
        "output_tokens_per_s": output / (until_s - warm_up_s),
        **figures(traces),
        "queue": simulation.queue_lengths,
        "forecast": forecast_error(traces),
    }


_KINDS = ("quick", "normal", "heavy")


def figures(traces: list[Trace]) -> dict[str, Any]:
    """Figures of everybody, by class and by population."""
    return {
        "classes": {kind: _figures([one for one in traces if one.kind == kind]) for kind in _KINDS},
        "all": _figures(traces),
        "users": _by_user(traces),
    }


def heavy_crowd(
    *,
    seed: int = 1,
    until_s: float = 900.0,
    warm_up_s: float = 200.0,
    engine: Timing = CARD,
    only: Sequence[str] = SIDES,
) -> dict[str, dict[str, Any]]:
    """(a) A hundred closed-loop heavy users, and quick requests of at most a tenth of the offered tokens."""
    policy = Policy(max_running=22, **PATIENT, **OPEN_DOORS)

    def loads() -> list[Load]:
        quick = quick_users(40, 15, 60, rate_per_s=2.0, until_s=until_s, seed=seed)
        return [heavy_users(100, think_s=0.0, seed=seed), quick]

    return on_each_side(policy, loads, only, until_s=until_s, warm_up_s=warm_up_s, engine=engine)


def flood(
    *,
    seed: int = 1,
    until_s: float = 600.0,
    warm_up_s: float = 60.0,
    engine: Timing = CARD,
    max_running: int = 126,
    only: Sequence[str] = SIDES,
) -> dict[str, dict[str, Any]]:
    """(b) One user with fifty requests at once for ever, and 99 with one each and time to think."""
    policy = Policy(max_running=max_running, **PATIENT, **OPEN_DOORS)

    def loads(flooded: bool) -> list[Load]:
        flooder = ClosedLoop(
            ["flooder"],
            lambda user, n: sized(seed, user, n, 800, 300),
            think_s=0.0,
            seed=seed,
            outstanding=50,
        )
        return [light_users(seed), flooder] if flooded else [light_users(seed)]

    return with_and_without("flood", policy, loads, only, until_s=until_s, warm_up_s=warm_up_s, engine=engine)


def heavy_users(count: int, *, think_s: float, seed: int) -> Load:
    """The heavy users of (a) and (c), each with one request of 4,000 tokens at a time."""
    return ClosedLoop(
        _names("heavy", count), lambda user, n: sized(seed, user, n, 4_000, 300), think_s=think_s, seed=seed
    )


def quick_users(
    count: int, prompt_tokens: int, answer_tokens: int, *, rate_per_s: float, until_s: float, seed: int
) -> Load:
    """The quick requests of (a) and (c), which arrive whether or not others are answered."""
    return arrivals(
        lambda n: f"quick-{n % count}",
        lambda user, n: sized(seed, user, n, prompt_tokens, answer_tokens),
        rate_per_s=rate_per_s,
        until_s=until_s,
        seed=seed,
    )


def light_users(seed: int) -> Load:
    """The 99 people of (b) and (e): one question each, and time to think."""
    return ClosedLoop(_names("light", 99), lambda user, n: draw(seed, user, n), think_s=10.0, seed=seed)


def on_each_side(
    policy: Policy, loads: Callable[[], list[Load]], only: Sequence[str], **terms: Any
) -> dict[str, dict[str, Any]]:
    """The same loads on every side; `terms` are `play`'s."""
    return {name: play(*side, loads(), **terms) for name, side in sides(policy, only).items()}


def with_and_without(
    what: str, policy: Policy, loads: Callable[[bool], list[Load]], only: Sequence[str], **terms: Any
) -> dict[str, dict[str, Any]]:
    """Every side beside `what`, and ours without it; `terms` are `play`'s."""
    played = {name: play(*side, loads(True), **terms) for name, side in sides(policy, only).items()}
    return {**played, f"ours, no {what}": play(policy, FairQueue, loads(False), **terms)}


def quick_overload(
    *,
    seed: int = 1,
    until_s: float = 900.0,
    warm_up_s: float = 100.0,
    engine: Timing = CARD,
    only: Sequence[str] = SIDES,
) -> dict[str, dict[str, Any]]:
    """(c) More quick requests than the engine can serve, and ten heavy users."""
    policy = Policy(max_running=30)

    def loads() -> list[Load]:
        quick = quick_users(300, 10, 200, rate_per_s=26.0, until_s=until_s, seed=seed)
        return [heavy_users(10, think_s=20.0, seed=seed), quick]

    return on_each_side(policy, loads, only, until_s=until_s, warm_up_s=warm_up_s, engine=engine)


def reference_mix(
    *,
    seed: int = 1,
    think_s: float = 10.0,
    users: int = 100,
    until_s: float = 600.0,
    warm_up_s: float = 60.0,
    engine: Timing = CARD,
    max_running: int = 126,
    only: Sequence[str] = SIDES,
) -> dict[str, dict[str, Any]]:
    """(d) The article's load: a hundred people, four kinds of request, thinking between answers."""
    policy = Policy(max_running=max_running, **OPEN_DOORS)

    def loads() -> list[Load]:
        return [
            ClosedLoop(_names("user", users), lambda user, n: draw(seed, user, n), think_s=think_s, seed=seed)
        ]

    return on_each_side(policy, loads, only, until_s=until_s, warm_up_s=warm_up_s, engine=engine)


def large_conversation(
    *,
    seed: int = 1,
    until_s: float = 2_400.0,
    warm_up_s: float = 100.0,
    engine: Timing = CARD,
    only: Sequence[str] = SIDES,
) -> dict[str, dict[str, Any]]:
    """(e) One user with a conversation of 90,000 tokens, in the cache after its first turn, asks three
    questions of it at once for ever, and the 99 light users of (b)."""

    def turn(user: str, number: int) -> Ask:
        ask = sized(seed, user, number, 100, 300)
        long = 90_000
        cached = long - ask.prompt_tokens if number else 0
        return msgspec.structs.replace(
            ask, prompt_tokens=long, cached_tokens=cached, conversation=user, new_chars=50
        )

    def loads(large: bool) -> list[Load]:
        reader = ClosedLoop(["large"], turn, think_s=0.0, seed=seed, outstanding=3)
        return [light_users(seed), reader] if large else [light_users(seed)]

    return with_and_without(
        "large",
        Policy(**PATIENT, **OPEN_DOORS),
        loads,
        only,
        until_s=until_s,
        warm_up_s=warm_up_s,
        engine=engine,
    )


def forecast_error(traces: Iterable[Trace], shortest_s: float = 5.0) -> dict[str, Any]:
    """Median relative error of the first forecast of every wait of at least `shortest_s`."""
    errors = []
    for trace in traces:
        if trace.started_s is None or trace.started_s - trace.asked_s < shortest_s or not trace.forecasts:
            continue
        told_at, forecast = trace.forecasts[0]
        actual = trace.started_s - told_at
        if actual > 0:
            errors.append(abs(forecast - actual) / actual)
    errors.sort()
    return {"waits": len(errors), "median_relative_error": quantile(errors, 0.5)}


def quantile(samples: list[float], q: float) -> float | None:
    """The q-quantile of sorted samples, by the nearest rank; None of none."""
    return samples[min(len(samples) - 1, int(q * len(samples)))] if samples else None


def _figures(traces: list[Trace]) -> dict[str, Any]:
    ttft = sorted(trace.ttft_s for trace in traces if trace.ttft_s is not None)
    whole = sorted(trace.whole_s for trace in traces if trace.outcome == "stop" and trace.whole_s is not None)
    waits = sorted(trace.started_s - trace.asked_s for trace in traces if trace.started_s is not None)
    return {
        "asked": len(traces),
        "answered": sum(trace.outcome == "stop" for trace in traces),
        "failed": sum(trace.outcome.startswith("timeout") or trace.outcome == "refused" for trace in traces),
        "ttft_mean_s": sum(ttft) / len(ttft) if ttft else None,
        "ttft_p50_s": quantile(ttft, 0.5),
        "ttft_p95_s": quantile(ttft, 0.95),
        "whole_p95_s": quantile(whole, 0.95),
        "whole_mean_s": sum(whole) / len(whole) if whole else None,
        "wait_max_s": waits[-1] if waits else None,
        "ttft_s": ttft,
    }


def _by_user(traces: list[Trace]) -> dict[str, dict[str, Any]]:
    """Figures per population: the part of the user's name before the dash."""
    groups: dict[str, list[Trace]] = {}
    for trace in traces:
        groups.setdefault(trace.ask.user.split("-")[0], []).append(trace)
    return {name: _figures(group) for name, group in groups.items()}


def _names(prefix: str, count: int) -> list[str]:
    return [f"{prefix}-{number}" for number in range(count)]


SCENARIOS: dict[str, Callable[..., dict[str, dict[str, Any]]]] = {
    "a": heavy_crowd,
    "b": flood,
    "c": quick_overload,
    "d": reference_mix,
    "e": large_conversation,
}
