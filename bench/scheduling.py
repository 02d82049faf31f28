"""Who waits for whom: FIFO, strict classes and ours on the same engine, slots and admission.

The emulated half plays tests/support/scenarios.py on a virtual clock: the scheduler is the real one, only the
engine and clock are not. The real half runs scenarios (a) and (b) on vLLM with the embedded model, through
the site's own dispatcher without its web tier; the engine is started once and drained between sides. What the
machine does meanwhile must not look like a difference between sides: each side of (a) is played in many
rounds, in mirrored order, and heavy requests differ in size, or a first-come crowd moves in waves.
"""

from __future__ import annotations

import asyncio
import math
import random
import string
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

import msgspec

from bench import real_engine
from bench.crowd import Crowd, Run, figures_of
from bench.real_engine import ENGINES, NOT_REAL, real_side
from bench.results import Result
from inference.engines.choice import CPU_CLASSES
from inference.scheduling.policy import Policy
from tests.support.loads import ClosedLoop, arrivals
from tests.support.scenarios import CARD, OPEN_DOORS, PATIENT, SCENARIOS, SIDES, sides
from tests.support.simulation import Load
from tests.support.workload import Ask, sized

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LONG: dict[str, float] = {"a": 900.0, "b": 600.0, "c": 900.0, "d": 600.0, "e": 2_400.0}
SHORT: dict[str, float] = {"a": 500.0, "b": 200.0, "c": 400.0, "d": 200.0, "e": 800.0}
WARM_UP: dict[str, float] = {"a": 200.0, "b": 40.0, "c": 100.0, "d": 60.0, "e": 100.0}

SEED = 1
KEPT_SAMPLES = 300
"""Of each side's times, evenly over their order: enough to draw a distribution again."""

REAL_S, REAL_FULL_S = 40.0, 60.0
MIRRORED, FULL_MIRRORED = 2, 3
"""How often all sides are played forth and back: one round's throughput differs from the next by 3 %."""
REAL_FLOOD_S, REAL_FULL_FLOOD_S = 60.0, 120.0
REAL_WARM_UP_S = 10.0
QUICK_PER_S = 0.6
SPREAD = (0.7, 1.3)
"""Requests of the crowds that never pause are this many times the given size, uniformly."""
THINK_S = 10.0
LIGHT_TOKENS, FLOOD_TOKENS = (60, 32), (90, 48)
LIGHT_SHARE = 0.5
"""Part of what the engine did in (a) that the light users of (b) ask for, as they do on the emulated card."""
QUICK_TOKENS = (25, 32)
HEAVY_TOKENS, FULL_HEAVY_TOKENS = (200, 48), (400, 96)
"""Prompt and answer of one request; the short form's are half as long: its line clears in two minutes."""

REAL_POLICY: dict[str, Any] = {
    **CPU_CLASSES,
    "max_running": 32,
    "reserved_slots": 2,
    **PATIENT,
    **OPEN_DOORS,
}

FIGURES = ("ttft_p50_s", "ttft_p95_s", "whole_p95_s", "wait_max_s")

Played = dict[str, dict[str, Any]]


def emulated(full: bool) -> dict[str, Played]:
    """Every scenario on the emulated card."""
    lengths = LONG if full else SHORT
    return {
        name: play(seed=SEED, until_s=lengths[name], warm_up_s=WARM_UP[name])
        for name, play in SCENARIOS.items()
    }


def exact(
    seed: int, user: str, number: int, sizes: tuple[int, int], spread: tuple[float, float] = (1.0, 1.0)
) -> Ask:
    """A question of one size, or of a size within `spread`: the tails of real lengths would take more time
    to average than a benchmark has."""
    times = random.Random(f"{seed}/size/{user}/{number}").uniform(*spread)
    prompt, output = (round(times * size) for size in sizes)
    ask = sized(seed, user, number, prompt, output)
    # The template and the number in front of the text take about twenty tokens of the prompt.
    chars = round(max(4, prompt - 20) * 4.2)
    return msgspec.structs.replace(
        ask, chars=chars, new_chars=chars, prompt_tokens=prompt, output_tokens=output
    )


def crowd_loads(until_s: float, heavy_tokens: tuple[int, int]) -> list[Load]:
    """(a): a hundred heavy users who never pause, and quick questions by others."""
    heavy = ClosedLoop(
        [f"heavy-{n}" for n in range(100)],
        lambda user, n: exact(SEED, user, n, heavy_tokens, SPREAD),
        think_s=0.0,
        seed=SEED,
    )
    quick = arrivals(
        lambda n: f"quick-{n % 40}",
        lambda user, n: exact(SEED, user, n, QUICK_TOKENS),
        rate_per_s=QUICK_PER_S,
        until_s=until_s,
        seed=SEED,
    )
    return [heavy, quick]


def light_users(tokens_per_s: float) -> int:
    """How many people with short questions take half of an engine that computes so much, at most 99."""
    each_per_s = sum(LIGHT_TOKENS) / THINK_S
    return max(10, min(99, round(LIGHT_SHARE * tokens_per_s / each_per_s)))


def flood_loads(light_users: int, flooded: bool) -> list[Load]:
    """(b): one user with 50 requests at once for ever, and light ones who ask one and think."""
    light = ClosedLoop(
        [f"light-{n}" for n in range(light_users)],
        lambda user, n: exact(SEED, user, n, LIGHT_TOKENS),
        think_s=THINK_S,
        seed=SEED,
    )
    flooder = ClosedLoop(
        ["flooder"],
        lambda user, n: exact(SEED, user, n, FLOOD_TOKENS, SPREAD),
        think_s=0.0,
        seed=SEED,
        outstanding=50,
    )
    return [light, flooder] if flooded else [light]


async def real(full: bool) -> dict[str, Played]:
    """(a) and (b) on one engine, one side after the other; the short form leaves out what is not compared."""
    sizes = FULL_HEAVY_TOKENS if full else HEAVY_TOKENS
    until_s, flood_s = (REAL_FULL_S, REAL_FULL_FLOOD_S) if full else (REAL_S, REAL_FLOOD_S)
    policy = Policy(**REAL_POLICY)
    openings = iter(string.ascii_uppercase)
    async with real_engine.vllm() as (engine, info):

        async def play(side: str, loads: Sequence[Load], until_s: float) -> Run:
            settings, order = sides(policy)[side]
            crowd = Crowd(settings, order, engine, info, until_s, next(openings))
            return await crowd.run(loads, REAL_WARM_UP_S)

        async def mirrored(order: tuple[str, ...], times: int) -> Played:
            runs: dict[str, list[Run]] = {side: [] for side in order}
            for side in (*order, *reversed(order)) * times:
                runs[side].append(await play(side, crowd_loads(until_s, sizes), until_s))
            return {side: figures_of(mine) for side, mine in runs.items()}

        await play("fifo", crowd_loads(REAL_WARM_UP_S, sizes), REAL_WARM_UP_S)
        crowd = await mirrored(SIDES if full else ("fifo", "ours"), times=FULL_MIRRORED if full else MIRRORED)
        people = light_users(crowd["ours"]["tokens_per_s"])
        flood = {
            "ours": figures_of([await play("ours", flood_loads(people, True), flood_s)]),
            "ours, no flood": figures_of([await play("ours", flood_loads(people, False), flood_s)]),
        }
        if full:
            flood["fifo"] = figures_of([await play("fifo", flood_loads(people, True), flood_s)])
        return {"a": crowd, "b": flood}


def of(figures: dict[str, Any], group: str, name: str) -> float:
    """A figure of one population; NaN where nobody was measured."""
    value = figures["users"].get(group, {}).get(name)
    return float("nan") if value is None else float(value)


def against(played: dict[str, Played]) -> dict[str, float]:
    """The figures that measures ask for, ours against FIFO and against no flood."""
    crowd, flood = played["a"], played["b"]
    fifo, ours = crowd["fifo"], crowd["ours"]
    beside_flood = {}
    if "fifo" in flood:
        shares = [flood[side]["tokens_per_s"] for side in ("ours", "fifo")]
        beside_flood["flood_throughput_vs_fifo"] = shares[0] / shares[1]
    return {
        **beside_flood,
        "quick_ttft_p95_vs_fifo": of(ours, "quick", "ttft_p95_s") / of(fifo, "quick", "ttft_p95_s"),
        "light_ttft_p95_vs_no_flood": of(flood["ours"], "light", "ttft_p95_s")
        / of(flood["ours, no flood"], "light", "ttft_p95_s"),
        "heavy_p95_vs_fifo": of(ours, "heavy", "whole_p95_s") / of(fifo, "heavy", "whole_p95_s"),
        "throughput_vs_fifo": ours["tokens_per_s"] / fifo["tokens_per_s"],
    }


def throughput_error(played: Played) -> float:
    """Standard error of the ratio of throughputs in (a), from how each side's rounds differ."""
    squares = []
    for side in ("fifo", "ours"):
        rounds = played[side]["tokens_per_s_of_runs"]
        squares.append((stdev(rounds) / fmean(rounds)) ** 2 / len(rounds))
    return math.sqrt(sum(squares))


def forecasts(played: dict[str, Played]) -> float:
    """The worst median relative error of ours over the scenarios where at least 20 people waited 5 s."""
    errors = [
        scenario["ours"]["forecast"]["median_relative_error"]
        for scenario in played.values()
        if scenario["ours"]["forecast"]["waits"] >= 20
    ]
    return max(errors, default=float("nan"))


def rows(engine: str, played: dict[str, Played]) -> list[list[Any]]:
    """A line per scenario, side and population."""
    lines = []
    for scenario, on_sides in played.items():
        for side, figures in on_sides.items():
            error = figures["forecast"]["median_relative_error"]
            for group, mine in figures["users"].items():
                lines.append(
                    [
                        engine, f"({scenario})", side, group, mine["asked"], mine["failed"],
                        *(_shown(mine[name]) for name in FIGURES),
                        round(figures["tokens_per_s"]),
                        "" if error is None else f"{100 * error:.0f} % of {figures['forecast']['waits']}",
                    ]
                )  # fmt: skip
    return lines


def _shown(value: float | None) -> Any:
    return "" if value is None else value


def run(full: bool) -> Result:
    """Short: virtual minutes, and four times 40 s a side on the real engine; full: longer of each."""
    card = emulated(full)
    notes = []
    here: dict[str, Played] = {}
    if real_side():
        here = asyncio.run(real(full))
    else:
        notes.append(NOT_REAL)
    heavy = card["c"]["ours"]["users"]["heavy"]
    tau = Policy().heavy_deadline_s
    return Result(
        name="scheduling",
        engine=ENGINES if here else ENGINES.partition(",")[0],
        full=full,
        settings={
            "emulated": msgspec.structs.asdict(CARD),
            "real": {
                **{name: value for name, value in REAL_POLICY.items() if name not in PATIENT | OPEN_DOORS},
                "heavy_tokens": FULL_HEAVY_TOKENS if full else HEAVY_TOKENS,
                "quick_tokens": QUICK_TOKENS,
                "quick_per_s": QUICK_PER_S,
                "step_budget": real_engine.settings().max_num_batched_tokens,
            },
            "seed": SEED,
        },
        summary={
            **{f"emulated.{name}": value for name, value in against(card).items()},
            "emulated.light_ttft_p95_vs_no_large": of(card["e"]["ours"], "light", "ttft_p95_s")
            / of(card["e"]["ours, no large"], "light", "ttft_p95_s"),
            "emulated.large_answered": card["e"]["ours"]["users"]["large"]["answered"],
            "emulated.heavy_wait_max_s": heavy["wait_max_s"],
            "emulated.heavy_wait_limit_s": 2 * tau + heavy["whole_mean_s"] - heavy["ttft_mean_s"],
            "emulated.forecast_error": forecasts(card),
            **({f"real.{name}": value for name, value in against(here).items()} if here else {}),
            **({"real.forecast_error": forecasts(here)} if here else {}),
            **({"real.throughput_standard_error": throughput_error(here["a"])} if here else {}),
        },
        columns=(
            "engine", "scenario", "side", "who", "asked", "failed", "TTFT p50 s", "TTFT p95 s", "whole P95 s",
            "longest wait s", "tokens/s", "forecast error",
        ),
        rows=[*rows("emulated", card), *rows("real", here)],
        samples={"emulated": thinned(card), "real": thinned(here)},
        notes=[
            *notes,
            "Sides differ in the order alone; FIFO and strict use the reserved slots as general ones.",
            "Emulated: the real scheduler on a virtual clock; timing model: docs/emulated-4090d.md.",
            "Real: the site's dispatcher on vLLM, no web tier; whoever asked is waited for, on every side.",
            "tokens/s counts prompt and output tokens computed between warm-up and end.",
            "Forecast error: median relative error of the first estimate told, of waits of 5 s and more.",
        ],
        plot=lambda figure: plot(figure, card, here),
    )  # fmt: skip


def thinned(played: dict[str, Played]) -> dict[str, Any]:
    """Sorted times to first token by population and queue lengths over time, small enough to keep."""
    return {
        scenario: {
            side: {
                "tokens_per_s": _some(figures.get("tokens_per_s_of_runs", [])),
                "ttft_s": {group: _some(mine["ttft_s"]) for group, mine in figures["users"].items()},
                "queue": _some([(round(at, 1), length) for at, length in figures["queue"]]),
            }
            for side, figures in on_sides.items()
        }
        for scenario, on_sides in played.items()
    }


def _some(samples: list[Any]) -> list[Any]:
    if len(samples) > KEPT_SAMPLES:
        samples = [samples[n * (len(samples) - 1) // (KEPT_SAMPLES - 1)] for n in range(KEPT_SAMPLES)]
    return [round(one, 4) if isinstance(one, float) else one for one in samples]


def plot(figure: Figure, card: dict[str, Played], here: dict[str, Played]) -> None:
    """Scenario (a): distributions of TTFT by side and population above, the line's length below."""
    figure.set_size_inches(10, 7)
    axes = figure.subplots(2, 2)
    for column, (name, played) in enumerate(
        (("emulated 4090D", card["a"]), ("real vLLM", here.get("a", {})))
    ):
        above, below = axes[0][column], axes[1][column]
        for number, (side, figures) in enumerate(played.items()):
            for group, style in (("quick", "-"), ("heavy", ":")):
                ttft = figures["users"].get(group, {"ttft_s": ()})["ttft_s"]
                share = [(n + 1) / len(ttft) for n in range(len(ttft))]
                above.step(ttft, share, style, where="post", color=f"C{number}", label=f"{side}, {group}")
            below.plot(*zip(*figures["queue"], strict=True), color=f"C{number}", label=side)
        above.set_xscale("log")
        above.set_title(f"(a) on {name}")
        above.set_xlabel("time to first token, s")
        above.set_ylabel("share of requests")
        below.set_xlabel("time, s")
        below.set_ylabel("waiting requests")
        if played:
            above.legend(fontsize="small")
            below.legend(fontsize="small")
