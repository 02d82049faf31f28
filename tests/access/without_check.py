"""A pytest plugin: the tests run on a site without the access check that `WITHOUT_CHECK` names."""

from __future__ import annotations

import os

import pytest

from tests.access.checks import all_checks, without


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    check = next(check for check, _, _ in all_checks() if str(check) == os.environ["WITHOUT_CHECK"])
    taken_out = without(check)
    taken_out.__enter__()
    session.config.add_cleanup(lambda: taken_out.__exit__(None, None, None))
