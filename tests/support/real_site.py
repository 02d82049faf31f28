"""The site on the real engine that all tests of a run share, sites of a test's own, and their one model."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import site as sites
from tests.support.source import ROOT

MODELS_DIR = Path(os.environ.get("CHATSITE_TEST_MODELS") or ROOT / "var" / "test-models")
"""Kept between runs: preparing the embedded model takes half a minute."""

SMALL = {"CHATSITE_DEMO_MODEL": "smollm2"}
"""The same model on every machine, and nothing is downloaded."""


PATIENT = {"CHATSITE_FIRST_TOKEN_TIMEOUT_S": "500", "CHATSITE_STALL_TIMEOUT_S": "500"}
"""An engine on processors that others use, too, may take longer than one that people wait for."""


@contextmanager
def ready_site(settings: Mapping[str, str], data_dir: Path) -> Iterator[sites.Site]:
    """The site as `make run` starts it for the first time, but for its model, which is prepared once."""
    (MODELS_DIR / "models").mkdir(parents=True, exist_ok=True)
    (data_dir / "models").symlink_to(MODELS_DIR / "models")
    with sites.embedded({**PATIENT, **settings}, data_dir) as site:
        site.wait("/readyz")
        yield site


@pytest.fixture(scope="session")
def real_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sites.Site]:
    """One for all, since its engine starts for longer than most tests take. Answers are bounded: the small
    model rarely ends one.
    """
    with ready_site({"CHATSITE_MAX_OUTPUT_TOKENS": "150"}, tmp_path_factory.mktemp("real")) as site:
        yield site
