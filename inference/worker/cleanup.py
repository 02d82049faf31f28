"""Running the cleanup tasks that the apps registered (chatsite/cleanup.py), each at its own interval."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import structlog

from chatsite.cleanup import CleanupTask
from chatsite.database import write

log = structlog.get_logger(__name__)


class Cleanup:
    """Runs the tasks one after another: erasing never competes with itself for the one writer."""

    def __init__(self, tasks: Sequence[CleanupTask]) -> None:
        self._due = dict.fromkeys(tasks, -inf)

    async def step(self, now: float) -> None:
        """Run what is due at `now` (monotonic, s), each to its end. A failure is logged and tried again."""
        for task in [task for task, at in self._due.items() if at <= now]:
            self._due[task] = now + task.every_s
            try:
                count = 0
                while erased := await write(task.erase):
                    count += erased
                if count:
                    log.info("cleaned_up", task=task.name, count=count)
            except Exception:
                log.exception("cleanup_failed", task=task.name)
