"""Registry of periodic cleanup tasks, which the inference process runs.

An app registers its own in `AppConfig.ready`. The worker reads the list and so need not know the apps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

SOON_S = 20.0
"""How often most tasks run: expired content is erased within the promised minute."""


@dataclass(frozen=True)
class CleanupTask:
    """A task. `erase` returns how many rows went, in a few short transactions; called until that is 0."""

    erase: Callable[[], int]
    every_s: float = SOON_S

    @property
    def name(self) -> str:
        """The task's name in the log."""
        return self.erase.__name__


_tasks: list[CleanupTask] = []


def register(task: CleanupTask) -> None:
    """Add a task behind those of earlier apps. A second registration of the same one changes nothing."""
    if task not in _tasks:
        _tasks.append(task)


def cleanup_tasks() -> tuple[CleanupTask, ...]:
    """All tasks, in the order of INSTALLED_APPS."""
    return tuple(_tasks)
