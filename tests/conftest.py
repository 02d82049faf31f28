"""Services found or missed, and said; databases and browsers that a test may have to itself."""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Iterator

import pytest
from django.db import connection
from django.utils import translation
from pytest_django import DjangoDbBlocker

from tests.support import prepared, services

_SKIPPED: Counter[str] = Counter()

SITES = {"site", "api_site", "emulated_site", "real_site"}
"""Fixtures that start a whole site in processes of its own; what uses one is marked `site`."""


MODEL = {"embedded_model"}
"""Fixtures that prepare the embedded model on a first run, half a minute; what uses one is marked `slow`."""


DATABASE = {"db", "transactional_db"}
"""What uses one meets the database, and is marked `database`."""


def pytest_configure(config: pytest.Config) -> None:
    """Hashing a password takes a third of a second on purpose, and emptying PostgreSQL a whole one."""
    from django.conf import settings

    from tests.support import flush

    gc.disable()  # until all is collected: hardly anything of it is garbage
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    flush.install()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks follow from fixtures. What misses its service is skipped; in CI it fails, with the reason."""
    for item in items:
        _mark(item)
        for marker, why_not in services.WITHOUT.items():
            if item.get_closest_marker(marker) and (reason := why_not()):
                _SKIPPED[reason] += 1
                if not services.CI or marker in services.OPTIONAL:
                    item.add_marker(pytest.mark.skip(reason=reason))
    _longest_first(items)


def pytest_collection_finish() -> None:
    """What is loaded by now stays: to look through it for garbage takes a fifth of a second each time."""
    gc.enable()
    gc.collect()
    gc.freeze()


def _mark(item: pytest.Item) -> None:
    fixtures = set(getattr(item, "fixturenames", ()))
    if SITES & fixtures:
        item.add_marker(pytest.mark.site)
    if item.get_closest_marker("browser"):
        item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
    if item.get_closest_marker("django_db") or DATABASE & fixtures:
        item.add_marker(pytest.mark.database)
    if _empties_tables(item):
        item.add_marker(pytest.mark.transactional)
    if MODEL & fixtures:
        item.add_marker(pytest.mark.slow)


def _longest_first(items: list[pytest.Item]) -> None:
    """Files that take long first, so that no worker is left with one when the others have nothing to do."""
    long = {item.path for item in items if item.get_closest_marker("slow") or item.get_closest_marker("site")}
    items.sort(key=lambda item: item.path not in long)


def _empties_tables(item: pytest.Item) -> bool:
    marker = item.get_closest_marker("django_db")
    asked = bool(marker and marker.kwargs.get("transaction"))
    return asked or "transactional_db" in getattr(item, "fixturenames", ())


def pytest_runtest_setup(item: pytest.Item) -> None:
    if services.CI:
        for marker, why_not in services.WITHOUT.items():
            if marker in services.OPTIONAL:
                continue
            if item.get_closest_marker(marker) and (reason := why_not()):
                pytest.fail(f"CI=true, and {reason}", pytrace=False)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What this run did not look at, where nobody overlooks it."""
    if _SKIPPED:
        terminalreporter.section("NOT TESTED HERE", sep="!", yellow=True, bold=True)
        for reason, count in _SKIPPED.items():
            terminalreporter.write_line(f"{count} tests: {reason}", yellow=True)


@pytest.fixture(autouse=True)
def nobodys_language() -> None:
    """A request leaves its language behind in the thread: the next test does not speak it."""
    translation.deactivate()


@pytest.fixture(scope="session")
def django_db_keepdb(
    django_db_keepdb: bool, django_db_modify_db_settings: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[bool]:
    """Of several processes each has a copy of one migrated database, in place of migrating its own.

    A single one migrates: while code is worked on, no copy would be that of the code.
    """
    if "PYTEST_XDIST_WORKER" not in os.environ:
        yield django_db_keepdb
        return
    with prepared.tables(connection.vendor, tmp_path_factory.mktemp("database")) as name:
        connection.settings_dict["TEST"]["NAME"] = name
        yield True


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """PostgreSQL drops no database that threads of ended event loops are still connected to."""
    yield
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """A new, empty PostgreSQL database, dropped afterwards. For the test's own processes."""
    with services.new_database() as url:
        yield url


@pytest.fixture
def redis_url() -> Iterator[str]:
    """The tests' own Redis database, empty before and after."""
    with services.empty_redis() as url:
        yield url


# Prompts are counted by the same estimate on every machine, whether or not a model was prepared there.
os.environ["CHATSITE_ENGINE"] = "emulated"
# Where the real engine is started all the same, it has the small model, and nothing is downloaded.
os.environ["CHATSITE_DEMO_MODEL"] = "smollm2"

PLUGINS = ("browser", "clients", "people", "real_site", "virtual_time")
pytest_plugins = [f"tests.support.{name}" for name in PLUGINS]
