"""A site of the console's own, so that pausing it disturbs nobody."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import site as sites
from tests.support.prepared import prepared_site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sites.Site]:
    """Slow answers, so that there are runs to see."""
    settings = {
        "CHATSITE_ENGINE": "emulated", "RATE_LIMIT_PER_MINUTE": "10000", "CHATSITE_EMULATED_STEP_S": "0.2",
        "CHATSITE_EMULATED_ANSWER_TOKENS": "0", "CHATSITE_STAFF_MAY_READ": "1",
    }  # fmt: skip
    with prepared_site(settings, tmp_path_factory.mktemp("console")) as site:
        yield site
