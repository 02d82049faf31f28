"""Sites on the real engine, and the one model that all of them share."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench import site as sites
from tests.source import ROOT

MODELS_DIR = Path(os.environ.get("CHATSITE_TEST_MODELS") or ROOT / "var" / "test-models")
"""Kept between runs: preparing the embedded model takes half a minute."""


@contextmanager
def ready_site(settings: Mapping[str, str], data_dir: Path) -> Iterator[sites.Site]:
    """The site as `make run` starts it for the first time, but for its model, which is prepared once."""
    (MODELS_DIR / "models").mkdir(parents=True, exist_ok=True)
    (data_dir / "models").symlink_to(MODELS_DIR / "models")
    with sites.embedded(settings, data_dir) as site:
        site.wait("/readyz")
        yield site
