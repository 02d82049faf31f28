"""Periodic work goes on past its failures, at its own pace, and sooner when it is woken."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from inference.backoff import LONGEST_S, Backoff
from inference.worker.periodic import every

pytestmark = pytest.mark.usefixtures("virtual_time")


class Work:
    """Notes when it was called; the calls with these numbers, from 1, fail."""

    def __init__(self, failing=()):
        self.times, self.failing = [], failing

    async def __call__(self):
        self.times.append(asyncio.get_running_loop().time())
        if len(self.times) in self.failing:
            raise OSError("the database is away")

    @property
    def pauses(self):
        return [later - earlier for earlier, later in zip(self.times, self.times[1:], strict=False)]


@asynccontextmanager
async def running(work, seconds=10.0, **options):
    task = asyncio.create_task(every(seconds, "test", work, **options))
    yield
    assert not task.done(), "only its cancellation ends it"
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


async def test_it_goes_on_past_failures_and_says_which_work_failed(capsys, caplog):
    work = Work(failing=(1, 2))
    async with running(work):
        await asyncio.sleep(35)
    assert work.pauses == pytest.approx([10, 10, 10])
    said = caplog.text + "".join(capsys.readouterr())
    assert said.count("periodic_work_failed") == 2


async def test_it_may_begin_with_a_pause():
    begun, work = asyncio.get_running_loop().time(), Work()
    async with running(work, at_once=False):
        await asyncio.sleep(15)
    assert work.times == pytest.approx([begun + 10])


async def test_a_wakeup_ends_the_pause_and_one_during_the_work_counts_for_the_next_call():
    wakeup, times = asyncio.Event(), []

    async def work():
        times.append(asyncio.get_running_loop().time())
        if len(times) == 2:
            wakeup.set()

    async with running(work, wakeup=wakeup):
        await asyncio.sleep(3)
        wakeup.set()
        await asyncio.sleep(12)
    begun = times[0]
    assert [at - begun for at in times] == pytest.approx([0, 3, 3, 13])


async def test_with_a_backoff_failures_are_tried_again_later_each_time_until_one_succeeds():
    work = Work(failing=(1, 2, 3, 5))
    async with running(work, seconds=1.0, backoff=Backoff()):
        await asyncio.sleep(10)
    waits = [pause - 1 for pause in work.pauses]
    assert 0 < waits[0] < waits[1] < waits[2] < LONGEST_S
    assert waits[3] == pytest.approx(0)
    assert 0 < waits[4] < waits[1], "the success began it anew"
    assert waits[5] == pytest.approx(0)
