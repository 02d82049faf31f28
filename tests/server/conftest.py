"""A site of few file descriptors and short deadlines, for the tests of what its door refuses."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.support import site as sites
from tests.support.browser import EMULATED
from tests.support.prepared import prepare

DESCRIPTORS, DEADLINE_S = 500, 2.0

SERVE = f"""
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "chatsite.settings"
from chatsite.server import http_channel
http_channel.HEAD_S = http_channel.BODY_S = {DEADLINE_S}
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", "serve"])
"""


@pytest.fixture(scope="session")
def descriptors() -> int:
    """How many file descriptors `site` may have."""
    return DESCRIPTORS


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sites.Site]:
    """Its requests have DEADLINE_S for their head, and about as much for their body."""
    data_dir = tmp_path_factory.mktemp("door")
    prepare(data_dir)
    command = ("sh", "-c", f'ulimit -n {DESCRIPTORS}; exec "$@"', "sh", sys.executable, "-c", SERVE)
    with sites.embedded(EMULATED, data_dir, command) as running:
        running.wait("/readyz")
        yield running
