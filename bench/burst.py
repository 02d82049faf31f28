"""A hundred people each start a new chat in the same second: the moment that peers fail at.

Sides: the site's embedded default (and its tiers apart, for memory) and the engine alone, given the
same requests at the same times. The engine is emulated: 50 ms a step, 20 tokens/s a stream.
"""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from bench import engine_alone
from bench.results import Result, last_line
from tests.support import load, transcript
from tests.support import site_keys as keys
from tests.support.cpu_use import Use
from tests.support.errors import BenchmarkError
from tests.support.load import Ask, Outcome, Plan
from tests.support.site import HOST, Site, apart, embedded
from tests.support.stats import percentile, spread
from tests.support.transcript import Judgement

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PEOPLE = 100
TOKENS = 200
SEED = 20
WITHIN_S = 1.0
TIMEOUT_S = 60

EMULATED = {
    "CHATSITE_ENGINE": "emulated",
    "CHATSITE_EMULATED_PRESET": "peer",
    # Answers end at max_tokens, so that every run makes the same number of tokens.
    "CHATSITE_EMULATED_ANSWER_TOKENS": "0",
}


@dataclass
class Side:
    """One run of the load through a site."""

    name: str
    outcome: Outcome
    judged: Judgement
    cpu_s: dict[str, float]
    rss_mb: dict[str, float]

    @property
    def ttft_s(self) -> list[float]:
        return [stream.ttft_s for stream in self.outcome.streams if stream.ttft_s is not None]

    @property
    def tokens(self) -> int:
        return sum(stream.usage.completion_tokens for stream in self.outcome.streams if stream.usage)

    @property
    def failed(self) -> int:
        return sum(bool(stream.failure) for stream in self.outcome.streams)

    @property
    def cpu_ms_per_token(self) -> float:
        """Of web and inference together, the emulated engine's own work included."""
        return 1000 * sum(self.cpu_s.values()) / max(1, self.tokens)


def asks(people: int = PEOPLE, tokens: int = TOKENS, within_s: float = WITHIN_S) -> list[Ask]:
    """Everybody's first question, at a random moment of the same second (seeded)."""
    draw = random.Random(SEED)
    return [
        Ask(person, draw.uniform(0, within_s), f"Question {person}: why is the sky blue?", tokens)
        for person in range(people)
    ]


def measure(
    name: str, site: Site, plan: Sequence[Ask], timeout_s: float = TIMEOUT_S, *, programs: bool = False
) -> Side:
    """Run the load against a ready site: by people at their sockets, or by programs at `/v1`."""
    count = 1 + max(ask.person for ask in plan)
    door: dict[str, Any] = {"keys": keys.of(site, count)} if programs else {"cookies": site.people(count)}
    before = site.use()
    outcome = load.run(
        Plan(host=HOST, ports=[site.port], asks=list(plan), timeout_s=timeout_s, compare=False, **door)
    )
    after = site.use()
    judged = transcript.judge(outcome.streams, transcript.read(site.transcript))
    nothing = Use(0.0, 0.0)
    cpu_s = {part: use.cpu_s - before.get(part, nothing).cpu_s for part, use in after.items()}
    return Side(name, outcome, judged, cpu_s, {part: use.rss_mb for part, use in after.items()})


def on_embedded(plan: Sequence[Ask]) -> Side:
    """The load on `manage.py serve`, as a newcomer runs it."""
    with embedded(EMULATED) as site:
        site.wait("/readyz")
        return measure("site, one process, SQLite", site, plan)


def on_api(plan: Sequence[Ask]) -> Side:
    """The same load by programs at `/v1`, on `manage.py serve`."""
    with embedded(EMULATED) as site:
        site.wait("/readyz")
        return measure("site, one process, SQLite, by /v1", site, plan, programs=True)


def on_tiers(plan: Sequence[Ask]) -> Side:
    """The load on Daphne and the inference worker. Raises BenchmarkError without PostgreSQL or Redis."""
    with apart(EMULATED) as (site, *_):
        return measure("site, two processes, PostgreSQL, Redis", site, plan)


def row(side: Side, alone_ttft_s: float) -> list[Any]:
    """The side's line of the table."""
    ttft = side.ttft_s
    late = side.judged.delays_s
    return [
        side.name,
        side.failed,
        percentile(ttft, 50) * 1000,
        percentile(ttft, 95) * 1000,
        (percentile(ttft, 95) - alone_ttft_s) * 1000,
        percentile(late, 50) * 1000,
        percentile(late, 99) * 1000,
        side.cpu_ms_per_token,
        ", ".join(f"{part} {size:.0f}" for part, size in sorted(side.rss_mb.items())),
        f"{side.judged.lost}/{side.judged.doubled}/{side.judged.altered}",
    ]


def of_tiers(tiers: Side, alone_ttft_s: float) -> dict[str, float]:
    """What the two-process mode costs, the harder of the two: its figures belong beside the others."""
    return {
        "apart_added_ttft_p95_ms": (percentile(tiers.ttft_s, 95) - alone_ttft_s) * 1000,
        "apart_delay_p99_ms": percentile(tiers.judged.delays_s, 99) * 1000,
        "apart_cpu_ms_per_token": tiers.cpu_ms_per_token,
    }


def run(full: bool) -> Result:
    """The short form runs each side once, the full form five times; its summary is the median run's."""
    plan = asks()
    alone = engine_alone.run(plan, os.environ | EMULATED)
    alone_ttft_s = median(alone.ttft_s)
    notes = [
        "The engine is emulated (50 ms a step, 20 tokens/s a stream), in the site and alone.",
        "Added TTFT: the site's, less the median of the engine alone given the same requests.",
        "Delay: from when a step was due by the engine's model to when its text had reached the person.",
        "CPU: web and inference, the emulated engine's own work included; the load client is not.",
    ]
    sides = [on_embedded(plan) for _ in range(5 if full else 1)]
    ours = sorted(sides, key=lambda side: percentile(side.ttft_s, 95))[len(sides) // 2]
    api = on_api(plan)
    tiers = None
    try:
        tiers = on_tiers(plan)
    except BenchmarkError as error:
        notes.append(f"Two processes were not measured: {last_line(error)}")
    shown = [*sides, api, *([tiers] if tiers else [])]
    alone_row = ["engine alone", 0, *(1000 * percentile(alone.ttft_s, p) for p in (50, 95)), 0.0, "", ""]
    return Result(
        name="burst",
        engine="emulated",
        full=full,
        settings=EMULATED | {"people": PEOPLE, "tokens": TOKENS, "within_s": WITHIN_S, "seed": SEED},
        summary={
            "failed": max(side.failed for side in shown),
            "added_ttft_p95_ms": (percentile(ours.ttft_s, 95) - alone_ttft_s) * 1000,
            "delay_p99_ms": percentile(ours.judged.delays_s, 99) * 1000,
            "cpu_ms_per_token": ours.cpu_ms_per_token,
            "api_added_ttft_p95_ms": (percentile(api.ttft_s, 95) - alone_ttft_s) * 1000,
            "api_cpu_ms_per_token": api.cpu_ms_per_token,
            **(of_tiers(tiers, alone_ttft_s) if tiers else {}),
            "web_rss_mb": tiers.rss_mb.get("web", 0.0) if tiers else ours.rss_mb.get("site", 0.0),
        },
        columns=(
            "side", "failed", "TTFT p50 ms", "TTFT p95 ms", "added p95 ms", "delay p50 ms", "delay p99 ms",
            "CPU ms/token", "resident MB", "lost/doubled/altered",
        ),
        rows=[
            [*alone_row, 1000 * alone.cpu_s / max(1, alone.tokens), "", ""],
            *(row(side, alone_ttft_s) for side in shown),
        ],
        samples={
            "alone_ttft_s": alone.ttft_s,
            "sides": [
                {
                    "name": side.name,
                    "ttft_s": side.ttft_s,
                    "delay_s": spread(side.judged.delays_s),
                    "failures": [stream.failure for stream in side.outcome.streams if stream.failure],
                    "cpu_s": side.cpu_s,
                    "rss_mb": side.rss_mb,
                    "client_cpu_s": side.outcome.cpu_s,
                }
                for side in shown
            ],
        },
        notes=notes,
        plot=lambda figure: plot(figure, alone.ttft_s, shown),
    )  # fmt: skip


def plot(figure: Figure, alone_ttft_s: Sequence[float], sides: Sequence[Side]) -> None:
    """Cumulative distributions of the time to first token."""
    axes = figure.subplots()
    for name, samples in [("engine alone", alone_ttft_s), *((side.name, side.ttft_s) for side in sides)]:
        ordered = sorted(samples)
        axes.step(ordered, [(n + 1) / len(ordered) for n in range(len(ordered))], where="post", label=name)
    axes.set_xlabel("time to first token, s")
    axes.set_ylabel("share of people")
    axes.legend()
