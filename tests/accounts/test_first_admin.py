"""The first administrator of a site in several processes: one, made by whichever worker starts first."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.prepared import prepare
from tests.support.source import ROOT
from tests.support.waiting import PATIENCE_S, wait_until

pytestmark = [pytest.mark.redis, pytest.mark.slow]


def test_workers_that_start_together_make_one_administrator(redis_url: str, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    environment |= {
        "CHATSITE_DATA_DIR": str(tmp_path / "data"),
        "CHATSITE_ENGINE": "emulated",
        "REDIS_URL": redis_url,
        "PYTHONUNBUFFERED": "1",
    }
    manage = [sys.executable, "manage.py"]
    prepare(tmp_path / "data")
    files = [tmp_path / "first", tmp_path / "second"]
    workers = []
    for file in files:
        own = environment | {"CHATSITE_METRICS_PORT": str(free_port())}
        with file.open("w") as out:
            command = [*manage, "inference_worker"]
            workers.append(subprocess.Popen(command, cwd=ROOT, env=own, stdout=out, stderr=out))

    def owners(among: list[int]) -> list[int]:
        return [one for one in among if " owner" in files[one].read_text()]

    try:
        wait_until(lambda: owners([0, 1]))
        owner = owners([0, 1])[0]
        workers[owner].terminate()
        wait_until(lambda: owners([1 - owner]))  # it waited for the lock, and had come past the administrator
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait(PATIENCE_S)
    said = "".join(file.read_text() for file in files)
    assert re.findall(r"Administrator +(\S+)", said) == ["admin@localhost.localdomain"]
    assert len(re.findall(r"One-time password +\S+", said)) == 1
    assert "Traceback" not in said
