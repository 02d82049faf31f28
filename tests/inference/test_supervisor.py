"""The supervisor: one engine after another, and honest words in between."""

import asyncio
import itertools

import pytest

from inference.dispatch.supervisor import EngineLost, EngineReady, Supervisor, SupervisorSettings
from inference.engines.base import EngineDiedError, EngineRequest, EngineStartError, Step
from inference.engines.emulated.engine import EmulatedEngine, EmulatedSettings
from inference.engines.emulated.timing import Timing
from inference.request import ChatMessage, Sampling
from tests.support.waiting import PATIENCE_S, until

pytestmark = pytest.mark.usefixtures("virtual_time")

QUICK = SupervisorSettings(hung_after_s=0.16, first_pause_s=0.01, longest_pause_s=0.04)


def request(id="a"):
    message = ChatMessage(role="user", content="hello")
    return EngineRequest(id=id, messages=(message,), sampling=Sampling(), max_tokens=10_000)


class Watched:
    """A supervisor over emulated engines, with everything that it says."""

    def __init__(self, build=None, settings=QUICK):
        self.engines, self.news = [], []
        self.supervisor = Supervisor(build or self.build, settings)

    def build(self):
        self.engines.append(EmulatedEngine(EmulatedSettings(timing=Timing(step_s=0.002), answer_tokens=0)))
        return self.engines[-1]

    async def __aenter__(self):
        self.task = asyncio.create_task(self.read())
        return self

    async def read(self):
        async for item in self.supervisor.events():
            self.news.append(item)

    async def __aexit__(self, *error):
        await self.supervisor.close()
        await asyncio.wait_for(self.task, PATIENCE_S)

    def of(self, kind):
        return [item for item in self.news if isinstance(item, kind)]


async def test_it_starts_an_engine_and_hands_its_steps_on():
    async with Watched() as watched:
        with pytest.raises(EngineDiedError):
            await watched.supervisor.add(request())
        await until(lambda: watched.supervisor.ready)
        assert watched.supervisor.info.engine == "emulated"
        await watched.supervisor.add(request())
        await until(lambda: len(watched.of(Step)) > 3)
        assert watched.supervisor.stats().running == 1
        await watched.supervisor.abort(["a"])
        await until(lambda: watched.supervisor.stats().running == 0)
    assert watched.of(EngineLost)[-1].reason == "The engine was closed."
    assert watched.supervisor.restarts == 0


async def test_a_dead_engine_is_said_and_replaced():
    async with Watched() as watched:
        await until(lambda: watched.supervisor.ready)
        watched.engines[0].die()
        await until(lambda: len(watched.of(EngineReady)) == 2)
        assert [type(item) for item in watched.news] == [EngineReady, EngineLost, EngineReady]
        assert watched.supervisor.restarts == 1


@pytest.mark.parametrize("before", ["running", "added"])
async def test_a_hung_engine_is_noticed_whether_it_ran_or_never_began(before):
    async with Watched() as watched:
        await until(lambda: watched.supervisor.ready)
        if before == "added":
            watched.engines[0].stall()
        await watched.supervisor.add(request())
        if before == "running":
            await until(lambda: watched.of(Step))
            watched.engines[0].stall()
        await until(lambda: len(watched.of(EngineReady)) == 2)
        assert "did not step" in watched.of(EngineLost)[0].reason


async def test_an_idle_engine_is_not_taken_for_hung():
    async with Watched() as watched:
        await until(lambda: watched.supervisor.ready)
        await asyncio.sleep(3 * QUICK.hung_after_s)
        assert watched.of(EngineLost) == []


async def test_one_that_does_not_start_is_tried_again_with_growing_pauses():
    times = []

    class Broken:
        async def start(self, progress):
            times.append(asyncio.get_running_loop().time())
            raise EngineStartError("VLLM_MODEL='nowhere': there is no such directory")

        async def close(self):
            pass

    async with Watched(build=Broken) as watched:
        await until(lambda: len(times) == 5)
        assert watched.supervisor.state == "failed"
        assert "nowhere" in watched.supervisor.detail
        assert not watched.supervisor.ready
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert pauses == pytest.approx([0.01, 0.02, 0.04, 0.04])


async def test_progress_of_the_start_is_shown():
    seen = []

    class Slow(EmulatedEngine):
        async def start(self, progress):
            progress("Loading weights", 0.4)
            await asyncio.sleep(0.05)
            return await super().start(progress)

    async with Watched(build=Slow) as watched:
        await until(lambda: watched.supervisor.progress == 0.4)
        seen.append((watched.supervisor.state, watched.supervisor.detail))
        await until(lambda: watched.supervisor.ready)
    assert seen == [("starting", "Loading weights")]


@pytest.mark.parametrize("method", ["start", "steps", "close"])
async def test_an_engine_that_fails_in_a_way_it_never_announced_is_replaced(method):
    class Faulty(EmulatedEngine):
        async def start(self, progress):
            if method == "start":
                raise ValueError("secret")
            return await super().start(progress)

        async def steps(self):
            if method == "steps":
                raise ValueError("secret")
            async for step in super().steps():
                yield step

        async def close(self):
            await super().close()
            if method == "close":
                raise ValueError("secret")

    engines = []

    def build():
        settings = EmulatedSettings(timing=Timing(step_s=0.002), answer_tokens=0)
        engines.append(EmulatedEngine(settings) if engines else Faulty(settings))
        return engines[-1]

    async with Watched(build=build) as watched:
        if method == "close":
            await until(lambda: watched.supervisor.ready)
            engines[0].die()
        await until(lambda: len(engines) == 2 and watched.supervisor.ready)
        (lost,) = watched.of(EngineLost)
        assert "secret" not in lost.reason
