"""The real-time crowd asks what the simulation would, and counts everybody."""

import pytest

from bench.crowd import Crowd, figures_of
from inference.engines.base import EngineRequest
from inference.engines.emulated.engine import EmulatedEngine, EmulatedSettings
from inference.engines.emulated.timing import Timing
from inference.scheduling.policy import Policy
from tests.support.loads import ClosedLoop, arrivals
from tests.support.scenarios import sides
from tests.support.workload import sized

FAST = EmulatedSettings(timing=Timing(step_s=0.005, max_running=4, step_budget=512), answer_tokens=0)


@pytest.mark.slow
async def test_sides_share_one_engine_and_lose_nobody():
    engine = EmulatedEngine(FAST)
    info = await engine.start(lambda _what, _done: None)
    heavy = ClosedLoop(
        [f"heavy-{n}" for n in range(6)], lambda user, n: sized(1, user, n, 30, 20), think_s=0.0, seed=1
    )
    quick = arrivals(
        lambda n: f"quick-{n % 3}",
        lambda user, n: sized(1, user, n, 5, 5),
        rate_per_s=10.0,
        until_s=0.5,
        seed=1,
    )
    for side, (policy, order) in sides(Policy(max_running=2, reserved_slots=2)).items():
        crowd = Crowd(policy, order, engine, info, until_s=0.5)
        run = await crowd.run([heavy, quick], warm_up_s=0.1)
        figures = figures_of([run])
        assert all(trace.outcome == "stop" for trace in crowd.traces), side
        assert figures["users"]["quick"]["asked"] == len(figures["users"]["quick"]["ttft_s"]) > 0
        assert figures["tokens_per_s"] > 0
        twice = figures_of([run, run])
        assert twice["tokens_per_s"] == pytest.approx(figures["tokens_per_s"]), "a rate is no sum"
        assert twice["users"]["quick"]["asked"] == 2 * figures["users"]["quick"]["asked"]
        assert engine.stats().running == 0, "the next side finds the engine empty"
    await engine.close()


async def test_no_crowd_finds_its_prompts_in_the_cache_of_another(monkeypatch: pytest.MonkeyPatch):
    """A prefix cache compares from the first token on: another opening, and nothing is shared."""
    engine = EmulatedEngine(FAST)
    info = await engine.start(lambda _what, _done: None)
    asked: list[str] = []
    add = engine.add

    async def noted(request: EngineRequest) -> None:
        asked.append(request.messages[-1].content)
        await add(request)

    monkeypatch.setattr(engine, "add", noted)
    policy, order = sides(Policy(max_running=2, reserved_slots=2))["fifo"]
    for opening in "AB":
        load = ClosedLoop(["one"], lambda user, n: sized(1, user, n, 30, 5), think_s=0.0, seed=1)
        await Crowd(policy, order, engine, info, 0.2, opening).run([load], warm_up_s=0.0)
    first, second = ([text for text in asked if text[0] == opening] for opening in "AB")
    assert first[0][1:] == second[0][1:], "the same question otherwise"
    assert first
    assert len(first) + len(second) == len(asked)
    await engine.close()
