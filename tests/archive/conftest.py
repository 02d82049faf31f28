"""Jobs run at once, in the test's own process, unless a test starts a whole site."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatsite.archive import uploading, views
from chatsite.archive.working import do_work


@pytest.fixture(autouse=True)
def jobs_at_once(monkeypatch: pytest.MonkeyPatch, settings, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    monkeypatch.setattr(views, "start_after_commit", do_work)
    monkeypatch.setattr(uploading, "start_after_commit", do_work)
