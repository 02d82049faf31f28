"""A Redis database for each worker of a run on PostgreSQL and Redis: one test's flush is no other's loss.

A plugin (`-p tests.support.own_redis`), because Django's settings read REDIS_URL before any conftest is read.
"""

from __future__ import annotations

import os

worker = os.environ.get("PYTEST_XDIST_WORKER", "")
if worker:
    # As many addresses, separated by blanks, as there are workers.
    os.environ["REDIS_URL"] = os.environ["CHATSITE_TEST_REDIS_URLS"].split()[int(worker.removeprefix("gw"))]
