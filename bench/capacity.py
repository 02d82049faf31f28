"""How many streams one web process carries: more and more people at 20 tokens/s each, to 1,000.

The knee is the largest number whose text reaches people within 250 ms at p99, with no failure. Beyond
it deltas are joined per socket: nothing may be lost or doubled, only later.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.burst import EMULATED, Side
from bench.results import Result, last_line
from tests.support import load, transcript
from tests.support.cpu_use import Use
from tests.support.errors import BenchmarkError
from tests.support.load import Ask, Plan
from tests.support.site import HOST, Site, apart, embedded
from tests.support.stats import percentile, spread

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHORT_STEPS = (100, 300, 1000)
FULL_STEPS = (100, 200, 300, 400, 500, 600, 800, 1000)
TOKENS = 200
RAMP_PER_S = 100
"""New chats a second while the load builds up: the rate of the burst."""

TIMEOUT_S = 180
KNEE_DELAY_S = 0.25
SEED = 21

ROOM = {
    "CHATSITE_MAX_ACTIVE_GENERATIONS": "5000",
    "CHATSITE_MAX_SOCKETS": "5000",
    "CHATSITE_MAX_RUNNING": "2000",
}
"""The site's own doors are opened wide: what is asked here is what lies behind them."""


@dataclass(frozen=True)
class Point:
    """One load on one kind of site."""

    streams: int
    side: Side

    @property
    def delay_p99_s(self) -> float:
        return percentile(self.side.judged.delays_s, 99)

    @property
    def holds(self) -> bool:
        return not self.side.failed and self.delay_p99_s <= KNEE_DELAY_S


def asks(people: int) -> list[Ask]:
    """One question each, arriving at RAMP_PER_S."""
    draw = random.Random(SEED)
    within_s = people / RAMP_PER_S
    return [
        Ask(person, draw.uniform(0, within_s), f"Question {person} of {people}", TOKENS)
        for person in range(people)
    ]


def measure(name: str, sites: list[Site], people: int, cookies: list[str]) -> Point:
    """One load, spread over the web processes of these sites."""

    def use() -> dict[str, Use]:
        found: dict[str, Use] = {}
        for part, one in ((part, one) for site in sites for part, one in site.use().items()):
            so_far = found.get(part, Use(0.0, 0.0))
            found[part] = Use(so_far.cpu_s + one.cpu_s, so_far.rss_mb + one.rss_mb)
        return found

    before = use()
    plan = Plan(
        host=HOST, ports=[site.port for site in sites], cookies=cookies[:people], asks=asks(people),
        timeout_s=TIMEOUT_S, compare=False,
    )  # fmt: skip
    outcome = load.run(plan)
    after = use()
    judged = transcript.judge(outcome.streams, transcript.read(sites[0].transcript))
    cpu_s = {part: one.cpu_s - before.get(part, Use(0.0, 0.0)).cpu_s for part, one in after.items()}
    side = Side(name, outcome, judged, cpu_s, {part: one.rss_mb for part, one in after.items()})
    return Point(people, side)


def climb(name: str, sites: list[Site], steps: tuple[int, ...]) -> list[Point]:
    """All loads, one after the other, on the same site."""
    cookies = sites[0].people(max(steps))
    return [measure(name, sites, people, cookies) for people in steps]


def row(point: Point) -> list[Any]:
    side, late = point.side, point.side.judged.delays_s
    return [
        side.name,
        point.streams,
        side.failed,
        percentile(side.ttft_s, 95) * 1000,
        percentile(late, 50) * 1000,
        point.delay_p99_s * 1000,
        side.cpu_ms_per_token,
        side.judged.lost,
        side.judged.doubled + side.judged.altered,
    ]


def run(full: bool) -> Result:
    """Short: 100, 300, 1,000 streams; full: eight steps."""
    steps = FULL_STEPS if full else SHORT_STEPS
    settings = EMULATED | ROOM
    notes = [
        "The engine is emulated (20 tokens/s a stream) and shares the processors with site and load client.",
        "Delay: from when a step was due by the engine's model to when its text had reached the person.",
    ]
    with embedded(settings) as site:
        site.wait("/readyz")
        one = climb("one web process", [site], steps)
    two: list[Point] = []
    try:
        with apart(settings, webs=2) as sites:
            two = climb("two web processes, Redis", sites, steps)
    except BenchmarkError as error:
        notes.append(f"Two web processes were not measured: {last_line(error)}")
    last = one[-1]
    return Result(
        name="capacity",
        engine="emulated",
        full=full,
        settings=settings | {"tokens": TOKENS, "ramp_per_s": RAMP_PER_S, "seed": SEED},
        summary={
            "knee_streams": max((point.streams for point in one if point.holds), default=0),
            "streams": last.streams,
            "lost": sum(point.side.judged.lost for point in one + two),
            "doubled": sum(point.side.judged.doubled + point.side.judged.altered for point in one + two),
            "delay_p99_ms": last.delay_p99_s * 1000,
            "failed": sum(point.side.failed for point in one + two),
        },
        columns=(
            "side", "streams", "failed", "TTFT p95 ms", "delay p50 ms", "delay p99 ms", "CPU ms/token",
            "lost", "doubled",
        ),
        rows=[row(point) for point in one + two],
        samples={
            "points": [
                {
                    "side": point.side.name,
                    "streams": point.streams,
                    "ttft_s": point.side.ttft_s,
                    "delay_s": spread(point.side.judged.delays_s),
                    "cpu_s": point.side.cpu_s,
                    "client_cpu_s": point.side.outcome.cpu_s,
                    "failures": [s.failure for s in point.side.outcome.streams if s.failure],
                }
                for point in one + two
            ]
        },
        notes=notes,
        plot=lambda figure: plot(figure, one, two),
    )  # fmt: skip


def plot(figure: Figure, *sides: list[Point]) -> None:
    """Delay against streams, the limit as a line."""
    axes = figure.subplots()
    for points in filter(None, sides):
        counts = [point.streams for point in points]
        axes.plot(counts, [point.delay_p99_s * 1000 for point in points], "o-", label=points[0].side.name)
    axes.axhline(KNEE_DELAY_S * 1000, linestyle=":", color="grey")
    axes.set_yscale("log")
    axes.set_xlabel("streams at 20 tokens/s")
    axes.set_ylabel("delay p99, ms")
    axes.legend()
