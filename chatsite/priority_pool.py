"""A thread pool with two priorities: a claim must not wait behind a hundred messages being stored."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any


class PriorityPool:
    """Runs urgent calls first, in order of arrival within each priority."""

    def __init__(self, threads: int, name: str) -> None:
        self._threads = ThreadPoolExecutor(threads, name)
        self._lock = threading.Lock()
        self._number = itertools.count()
        self._waiting: list[tuple[bool, int, Callable[[], Any], Future[Any]]] = []

    def submit(self, call: Callable[[], Any], *, urgent: bool = False) -> Future[Any]:
        """Run the call in a thread; an urgent one before all that are not."""
        done: Future[Any] = Future()
        with self._lock:
            heapq.heappush(self._waiting, (not urgent, next(self._number), call, done))
        self._threads.submit(self._run_first)
        return done

    def shutdown(self) -> None:
        """Finish what waits, then end the threads."""
        self._threads.shutdown(wait=True)

    def _run_first(self) -> None:
        """Run the waiting call that comes first; submitted once for each call."""
        with self._lock:
            _, _, call, done = heapq.heappop(self._waiting)
        if not done.set_running_or_notify_cancel():
            return
        try:
            result = call()
        except BaseException as error:
            done.set_exception(error)
        else:
            done.set_result(result)
