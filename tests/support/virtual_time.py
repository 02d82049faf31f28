"""Virtual time for tests whose world is one event loop: nothing is waited for or lost to neighbours.

While anything can run it does, and the clock stands still; when all wait, it jumps to the next timer. So
sleeps and timeouts keep their order and their lengths on any machine, and a seed means the same run again.
For tests without sockets and threads: of what goes on outside, the loop's clock knows nothing. Trio calls it
an autojump clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest
import pytest_asyncio

T = TypeVar("T")


class VirtualTime:
    """The clock of one event loop. `late_s`: how much later than asked for each timer comes, as on a busy
    machine."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.late_s = 0.0
        self._now_s = loop.time()
        self._select = loop._selector.select  # type: ignore[attr-defined]

    def time(self) -> float:
        return self._now_s

    def select(self, timeout_s: float | None) -> list[object]:
        """What the loop calls to wait: `timeout_s` until its next timer, None if it has none."""
        events: list[object] = self._select(None if timeout_s is None else 0)
        if timeout_s and not events:
            self._now_s += timeout_s + self.late_s
        return events

    @classmethod
    @contextmanager
    def of(cls, loop: asyncio.AbstractEventLoop) -> Iterator[VirtualTime]:
        """This loop's time, virtual for a while."""
        clock = cls(loop)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(loop, "time", clock.time)
            patch.setattr(loop._selector, "select", clock.select)  # type: ignore[attr-defined]
            yield clock


@pytest_asyncio.fixture
async def virtual_time() -> AsyncIterator[VirtualTime]:
    """The running loop's time, virtual until the test ends."""
    with VirtualTime.of(asyncio.get_running_loop()) as clock:
        yield clock


def run_virtually(main: Coroutine[object, object, T]) -> T:
    """`asyncio.run` in virtual time."""
    with asyncio.Runner() as runner, VirtualTime.of(runner.get_loop()):
        return runner.run(main)
