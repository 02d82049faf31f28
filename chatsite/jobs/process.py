"""Start a process for each job, a few at a time, without a request waiting for it."""

from __future__ import annotations

import subprocess
import sys
from threading import BoundedSemaphore, Thread
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from chatsite.jobs import actions as jobs

AT_ONCE = 2
"""Processes of one web process; further jobs wait their turn."""

LIMIT_S = 3_600
"""Of one job: ten thousand conversations as PDF take most of it."""

_places = BoundedSemaphore(AT_ONCE)


def start_job_after_commit(id: UUID) -> None:
    """Run the job in a process of its own, once its row can be seen."""
    # Daemon: the server's end does not wait for it. The process goes on to its own end.
    transaction.on_commit(lambda: Thread(target=_run, args=(id,), name=f"archive-{id}", daemon=True).start())


def _run(id: UUID) -> None:
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "run_job", str(id)]
    with _places:
        try:
            done = subprocess.run(  # noqa: S603 - our own command and a UUID
                command, stdin=subprocess.DEVNULL, start_new_session=True, timeout=LIMIT_S, check=False
            )
            why = "It needed more memory than such work may take." if done.returncode else ""
        except subprocess.TimeoutExpired:
            why = f"It took longer than {LIMIT_S // 60} minutes and was ended."
    try:
        if why:
            jobs.do_fail_job(id, why)
    finally:
        connection.close()
