from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def data_dir(settings, tmp_path: Path) -> Path:
    """Files of these tests lie in a directory of their own."""
    settings.DATA_DIR = tmp_path
    return tmp_path
