"""Options of DATABASE_URL reach PostgreSQL: over the pool that pages use, and over the owner's lock."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import psycopg
import pytest

from tests.support.certificates import certificate_for
from tests.support.postgres_server import Server, tls_server
from tests.support.source import ROOT

pytestmark = pytest.mark.postgres_server

PROBE = """
import json, os, runpy, sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from django.db.utils import ConnectionHandler
os.environ["DJANGO_SETTINGS_MODULE"] = "chatsite.settings"
os.environ["DATABASE_URL"] = ""
import django
django.setup()
from inference.worker import owner_lock

TLS = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"

POOL_S = 5  # for which the pool goes on trying

def over_the_pool(database):
    database.settings_dict["OPTIONS"]["pool"] |= {"min_size": 0, "timeout": POOL_S}
    try:
        with database.cursor() as cursor:
            return cursor.execute(TLS).fetchone()[0]
    finally:
        database.close()
        database.close_pool()

def over_the_lock(database):
    owner_lock.connection = database
    lock = owner_lock.owner_lock()
    try:
        assert lock.take()
        return lock._session.execute(TLS).fetchone()[0]
    finally:
        lock.release(0)

def told(way, database):
    try:
        return way(database())
    except Exception as error:
        return f"{type(error).__name__}: {error.__cause__ or error}"

databases = []
for number, url in enumerate(json.load(sys.stdin)):
    os.environ["DATABASE_URL"] = url
    own = {**runpy.run_module("chatsite.settings")["DATABASES"]["default"]}
    handler = ConnectionHandler({"default": {}, str(number): own})  # pools are kept by this name
    databases.append(partial(handler.__getitem__, str(number)))
with ThreadPoolExecutor(len(databases)) as threads:
    pools = list(threads.map(partial(told, over_the_pool), databases))
print(json.dumps([(pool, told(over_the_lock, one)) for pool, one in zip(pools, databases)]))
"""

TABLE = "CREATE TABLE generations_ownership (id int PRIMARY KEY, epoch int, heartbeat_at timestamptz)"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Its certificate is localhost's; the database `old` takes no writes, as a standby's."""
    with tls_server(certificate_for("localhost")) as server:
        (server.folder / "other").mkdir()
        certificate_for("localhost").write(server.folder / "other")
        with psycopg.connect(server.url("localhost", sslmode="require"), autocommit=True) as session:
            session.execute(TABLE)
            session.execute("CREATE DATABASE old TEMPLATE template0")
            session.execute("ALTER DATABASE old SET default_transaction_read_only = on")
        yield server


@pytest.fixture(scope="module")
def told(server: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[object, object]]:
    """What the pool and the lock say at each address: that it was by TLS, or why they are not let in."""
    root, other = server.folder / "root.crt", server.folder / "other/root.crt"
    urls = {
        "named": server.url("localhost", sslmode="verify-full", sslrootcert=str(root)),
        "unknown": server.url("localhost", sslmode="verify-full", sslrootcert=str(other)),
        "renamed": server.url("127.0.0.1", sslmode="verify-full", sslrootcert=str(root)),
        "missing": server.url("localhost", sslmode="verify-full", sslrootcert=str(root) + ".old"),
        "plain": server.url("localhost", sslmode="disable"),
        "read-only": server.url("localhost", "old", target_session_attrs="read-write"),
        "any": server.url("localhost", "old", target_session_attrs="any"),
        "writable": server.url("localhost", target_session_attrs="read-write"),
    }
    data_dir = str(tmp_path_factory.mktemp("site"))
    environment = os.environ | {"CHATSITE_DATA_DIR": data_dir, "CHATSITE_SECRET_KEY": "long enough" * 9}
    done = subprocess.run(
        [sys.executable, "-c", PROBE], input=json.dumps(list(urls.values())), cwd=ROOT, env=environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {name: tuple(both) for name, both in zip(urls, json.loads(done.stdout), strict=True)}


@pytest.mark.parametrize("name", ["named", "writable"])
def test_a_server_that_is_as_asked_lets_in(told: dict[str, tuple[object, object]], name: str) -> None:
    assert told[name] == (True, True)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("unknown", "certificate verify failed"),
        ("renamed", 'does not match host name "127.0.0.1"'),
        ("missing", "does not exist"),
        ("plain", "no encryption"),
        ("read-only", "session is read-only"),
    ],
)
def test_one_that_is_not_is_refused_by_pool_and_lock(
    told: dict[str, tuple[object, object]], name: str, why: str
) -> None:
    pool, lock = map(str, told[name])
    assert pool.startswith("OperationalError: ")
    assert lock.startswith("OperationalError: ")
    assert why in lock


def test_without_the_option_a_server_that_takes_no_writes_is_read(
    told: dict[str, tuple[object, object]],
) -> None:
    assert told["any"][0] is True
