"""Jobs run at once, in the test's own process, unless a test starts a whole site. For conftest modules."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatsite.api import transfers as views
from chatsite.jobs.worker import do_run_job
from chatsite.transfer import uploading


@pytest.fixture(autouse=True)
def jobs_at_once(monkeypatch: pytest.MonkeyPatch, settings, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    monkeypatch.setattr(views, "start_job_after_commit", do_run_job)
    monkeypatch.setattr(uploading, "start_job_after_commit", do_run_job)
