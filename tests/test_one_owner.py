"""One `serve` on a data directory, one `migrate` on a database, and no code on tables of a newer version."""

from __future__ import annotations

import fcntl
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from chatsite.environment.declared import ConfigurationError
from chatsite.schema_state import check_migrated, check_not_newer
from inference.management.commands.migrate import ADVISORY_KEY
from inference.management.serve_lock import check_unserved, lock_data_dir
from tests.support import site as sites
from tests.support.prepared import prepare
from tests.support.source import ROOT
from tests.support.waiting import PATIENCE_S, wait_until

# --- one serve --------------------------------------------------------------------------------------


def test_a_second_serve_is_refused_with_the_firsts_address(tmp_path: Path) -> None:
    with lock_data_dir(tmp_path, "http://127.0.0.1:8123/"):
        for again in (check_unserved, lambda path: lock_data_dir(path, "http://127.0.0.1:8124/")):
            with pytest.raises(
                ConfigurationError, match=rf"at http://127.0.0.1:8123/ \(process {os.getpid()}\)"
            ):
                again(tmp_path)
    check_unserved(tmp_path)
    with lock_data_dir(tmp_path, "http://127.0.0.1:8124/"):
        assert (tmp_path / "serve.lock").read_text() == f"http://127.0.0.1:8124/ (process {os.getpid()})"


def test_a_directory_that_nobody_serves_is_left_as_it_is(tmp_path: Path) -> None:
    check_unserved(tmp_path)
    check_unserved(tmp_path / "none")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_two_sites_on_one_directory(tmp_path: Path) -> None:
    """The second ends at once, by its line; when the first was killed, the next one starts."""
    prepare(tmp_path)
    with sites.embedded({"CHATSITE_ENGINE": "emulated"}, tmp_path) as first:
        first.wait("/healthz")
        environment = first.environment | {"PORT": str(sites.free_port())}
        second = run("serve", environment)
        assert second.returncode == 2
        assert second.stderr.count("\n") == 1
        assert f"at {first.url}/ (process {first.children[0].pid})" in second.stderr
        os.killpg(first.children[0].pid, signal.SIGKILL)
        first.children[0].wait(PATIENCE_S)
        check_unserved(tmp_path)


def run(command: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", command], cwd=ROOT, env=environment, capture_output=True, text=True,
        timeout=PATIENCE_S, check=False,
    )  # fmt: skip


# --- newer and half migrated databases ------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("app", "name"), [("accounts", "0999_later"), ("generations", "0999_later"), ("rooms", "0001_initial")]
)
def test_a_database_of_a_newer_version_is_refused(app: str, name: str) -> None:
    MigrationRecorder(connection).record_applied(app, name)
    for check in (check_not_newer, check_migrated):
        with pytest.raises(ConfigurationError, match=rf"newer version of chatsite: {app}\.{name} is not"):
            check()


@pytest.mark.django_db
def test_what_another_package_dropped_makes_no_database_newer() -> None:
    MigrationRecorder(connection).record_applied("auth", "0999_dropped")
    check_not_newer()
    check_migrated()


@pytest.mark.django_db
def test_tables_that_are_not_made_yet_are_named_with_the_command() -> None:
    graph = MigrationLoader(connection).graph
    app, name = next(key for key in graph.leaf_nodes() if not graph.node_map[key].children)
    MigrationRecorder(connection).record_unapplied(app, name)
    check_not_newer()
    with pytest.raises(ConfigurationError, match=rf"{app}\.{name} is missing. Run `manage.py migrate`"):
        check_migrated()


@pytest.mark.django_db
def test_a_history_with_a_hole_is_a_database_migrated_by_halves() -> None:
    MigrationRecorder(connection).record_unapplied("accounts", "0001_initial")
    with pytest.raises(ConfigurationError, match=r"migrated by halves: .* Restore a backup"):
        check_not_newer()


@pytest.mark.slow
@pytest.mark.parametrize("command", ["migrate", "serve"])
def test_tables_without_a_record_of_them_end_in_one_line(tmp_path: Path, command: str) -> None:
    prepare(tmp_path)
    with closing(sqlite3.connect(tmp_path / "chatsite.sqlite3")) as file:
        file.execute("DELETE FROM django_migrations WHERE app = 'notices'")
        file.commit()
    done = run(command, sites.environment(tmp_path, sites.free_port(), {"CHATSITE_ENGINE": "emulated"}))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1, done.stderr
    assert "by halves" in done.stderr


# --- one migrate --------------------------------------------------------------------------------------


@contextmanager
def file_locked(folder: Path) -> Iterator[None]:
    with (folder / "chatsite.sqlite3.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def server_locked(url: str) -> Iterator[None]:
    with psycopg.connect(url, autocommit=True) as server:
        server.execute("SELECT pg_advisory_lock(%s)", [ADVISORY_KEY])
        yield


@pytest.mark.slow
def test_of_two_migrations_one_waits(tmp_path: Path) -> None:
    environment = sites.environment(tmp_path, 1, {"CHATSITE_ENGINE": "emulated"})
    with file_locked(tmp_path):
        child = begin_migrate(environment, tmp_path)
    assert child.wait(PATIENCE_S) == 0


@pytest.mark.slow
@pytest.mark.postgres
def test_of_two_migrations_on_postgresql_one_waits(tmp_path: Path, postgres_url: str) -> None:
    environment = sites.environment(tmp_path, 1, {"DATABASE_URL": postgres_url})
    with server_locked(postgres_url):
        child = begin_migrate(environment, tmp_path)
    assert child.wait(PATIENCE_S) == 0


def begin_migrate(environment: dict[str, str], folder: Path) -> subprocess.Popen[bytes]:
    """A `migrate` that waits, and has made nothing yet."""
    with (folder / "said").open("w") as said:
        command = [sys.executable, "manage.py", "migrate", "accounts", "0001", "--no-input"]
        child = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=said, stderr=said)
    wait_until(lambda: "Waiting for another `migrate`" in (folder / "said").read_text())
    assert "Applying" not in (folder / "said").read_text()
    return child
