"""The claimer: asks the rows for permission to run, so that no engine step ever waits for the database."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from inference.dispatch.backoff import Backoff
from inference.dispatch.job import Job
from inference.dispatch.store import Store
from inference.stream_log.base import FencedError

log = logging.getLogger(__name__)


class Claimer:
    """Claims picked jobs in batches: while one batch is under way, the next gathers.

    `granted` is awaited for each job with whether its row is ours now.
    """

    def __init__(self, store: Store, granted: Callable[[Job, bool], Awaitable[None]]) -> None:
        self._store = store
        self._granted = granted
        self._jobs: list[Job] = []
        self._wake = asyncio.Event()

    def put(self, job: Job) -> None:
        self._jobs.append(job)
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled. Raises FencedError."""
        backoff = Backoff()
        while True:
            await self._wake.wait()
            self._wake.clear()
            jobs, self._jobs = [job for job in self._jobs if job.outcome is None], []
            if not jobs:
                continue
            try:
                ours = await self._claim(jobs)
            except FencedError:
                raise
            except Exception:
                log.exception("Claiming failed; it is tried again")
                self._jobs[:0] = jobs
                self._wake.set()
                await backoff.sleep()
                continue
            backoff.reset()
            for job in jobs:
                await self._granted(job, job.generation in ours)

    async def _claim(self, jobs: list[Job]) -> set[str]:
        """Generations that may run; a job that comes back after its engine was lost is ours already."""
        ours = {job.generation for job in jobs if job.claimed}
        fresh = [job.claim for job in jobs if not job.claimed]
        return ours | await self._store.claim(fresh) if fresh else ours
