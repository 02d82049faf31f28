"""What the tests can use on this machine: PostgreSQL, Redis, Chromium, vLLM. Each is probed once.

`python -m tests.support.services [pytest arguments]` runs the suite's database tests a second time, on
PostgreSQL and Redis, and prints what share of the code they reach. Django's settings choose the servers when
they are imported, so it takes a process of its own.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import json
import os
import pwd
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import redis

from tests.support.source import ROOT

POSTGRES_URL = os.environ.get("CHATSITE_TEST_DATABASE_URL", "postgres://postgres@127.0.0.1:5432/postgres")
# Tests use databases that are empty, and never 0, the one that a person would use by hand.
REDIS_URL = os.environ.get("CHATSITE_TEST_REDIS_URL", "redis://127.0.0.1:6379/15")
REDIS_DATABASES = 16
"""What a Redis server has unless told otherwise."""

CONNECT_TIMEOUT_S = 3

DATABASE_TESTS = ("-m", "database and not (real_engine or site or browser or slow or proof)")

COVERAGE = ROOT / "var/coverage.json"

MEASURED = {"chatsite": 88, "inference": 38}
"""Package → the least share of its lines, in percent, that the database tests reach."""

NO_DATABASE = ("chatsite/attachments/reading/", "chatsite/transfer/render/")
"""What reads and writes files, beside any database: its own tests are not among those that are counted."""

WORKERS = 2
"""How many processes share the tests on PostgreSQL and Redis."""

CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}


@cache
def without_postgres() -> str:
    """Why PostgreSQL cannot be used; empty when it can."""
    try:
        psycopg.connect(POSTGRES_URL, connect_timeout=CONNECT_TIMEOUT_S).close()
    except psycopg.Error as error:
        return f"no PostgreSQL at CHATSITE_TEST_DATABASE_URL={POSTGRES_URL}: {str(error).strip()}"
    return ""


@cache
def without_redis() -> str:
    """Why Redis cannot be used; empty when it can."""
    client = redis.Redis.from_url(REDIS_URL, socket_connect_timeout=CONNECT_TIMEOUT_S)
    try:
        client.ping()
    except redis.RedisError as error:
        return f"no Redis at CHATSITE_TEST_REDIS_URL={REDIS_URL}: {error}"
    finally:
        client.close()
    return ""


@cache
def chromium() -> str:
    """Path of the system's Chromium, or empty.

    Its headless shell first: opening a page costs it less than half of the whole browser's processor time.
    """
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    return os.environ.get("CHATSITE_TEST_CHROMIUM", "") or next(filter(None, map(shutil.which, names)), "")


def without_browser() -> str:
    """Why no browser can be driven; empty when one can."""
    return "" if chromium() else "no chromium on PATH; CHATSITE_TEST_CHROMIUM may name one"


def without_vllm() -> str:
    """Why the real engine cannot run; empty when it can."""
    return "" if importlib.util.find_spec("vllm") else "vllm is not installed in this environment"


def without(command: str) -> str:
    """Why a program cannot be run; empty when it can."""
    return "" if shutil.which(command) else f"no {command} on PATH"


NODE_MODULES = os.environ.get("CHATSITE_TEST_NODE_MODULES", "")
"""A folder in which `npm install openai` has been run."""


def without_openai_js() -> str:
    """Why the official JavaScript client cannot be asked; empty when it can."""
    missing = "" if NODE_MODULES else "CHATSITE_TEST_NODE_MODULES names no folder with npm's openai"
    return without("node") or missing


@cache
def postgres_programs() -> Path | None:
    """The folder of PostgreSQL's own programs: beside `initdb` on PATH, or where Debian puts them."""
    if found := shutil.which("initdb"):
        return Path(found).parent
    return next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)


def postgres_user() -> str | None:
    """Who runs a server of a test's own: PostgreSQL refuses root. Raises KeyError where nobody else can."""
    return pwd.getpwnam("postgres").pw_name if os.geteuid() == 0 else None


def without_postgres_server() -> str:
    """Why no PostgreSQL of a test's own can be started; empty when one can."""
    if postgres_programs() is None:
        return "no initdb on PATH or in /usr/lib/postgresql"
    try:
        postgres_user()
    except KeyError:
        return "PostgreSQL does not run as root, and there is no user postgres"
    return ""


WITHOUT: dict[str, Callable[[], str]] = {
    "postgres": without_postgres,
    "redis": without_redis,
    "browser": without_browser,
    "real_engine": without_vllm,
    "postgres_server": without_postgres_server,
    "redis_server": partial(without, "redis-server"),
    "nginx": partial(without, "nginx"),
    "caddy": partial(without, "caddy"),
    "promtool": partial(without, "promtool"),
    "systemd": partial(without, "systemd-analyze"),
    "poppler": partial(without, "pdftotext"),
    "node": partial(without, "node"),
    "openai_js": without_openai_js,
}
"""Marker → why its tests cannot run here."""

OPTIONAL = {"node", "openai_js", "systemd", "nginx", "caddy"}
"""Missing in CI too, these are told and no failure: the project itself needs no Node, `.ci/run` uses npm
where the machine has it, and containers have no systemd."""


@contextmanager
def new_database(copy_of: str = "") -> Iterator[str]:
    """The address of a new PostgreSQL database, dropped at the end whoever still uses it.

    Empty, or as the one at the address `copy_of`, to which nobody may be connected.
    """
    template = urlsplit(copy_of).path.lstrip("/") or "template1"
    name = f"chatsite_{secrets.token_hex(6)}"
    with psycopg.connect(POSTGRES_URL, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        try:
            yield urlunsplit(urlsplit(POSTGRES_URL)._replace(path=f"/{name}"))
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextmanager
def empty_redis() -> Iterator[str]:
    """The address of an empty Redis database that no other run uses; empty again afterwards.

    Another run's stream log would fence this one's off: epochs are counted per database server. The claim is
    a lock outside the database, since a test that clears Django's cache flushes all of it.
    """
    for number in range(REDIS_DATABASES - 1, 0, -1):
        url = urlunsplit(urlsplit(REDIS_URL)._replace(path=f"/{number}"))
        with claimed(url) as ours, redis.Redis.from_url(url) as client:
            if ours and client.dbsize() == 0:
                try:
                    yield url
                finally:
                    client.flushdb()
                return
    raise RuntimeError(f"All Redis databases but 0 at {REDIS_URL} hold something; empty one of them.")


@contextmanager
def claimed(url: str) -> Iterator[bool]:
    """Whether a Redis database is this process' own, until it ends at the latest."""
    name = hashlib.sha256(url.encode()).hexdigest()[:16]
    with Path(tempfile.gettempdir(), f"chatsite-tests-{name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def main() -> int:
    """Run pytest on PostgreSQL and Redis, with the arguments given or on all database tests.

    Skipping is said loudly, and is an error in CI.
    """
    given = sys.argv[1:]
    missing = list(filter(None, (without_postgres(), without_redis())))
    if missing:
        print("\nNOT TESTED on PostgreSQL and Redis:", *missing, sep="\n  ", file=sys.stderr)
        return 1 if CI else 0
    print("\nOnce more, on PostgreSQL and Redis", flush=True)
    workers = ["-n", str(WORKERS), "--dist", "loadfile", "--no-loadscope-reorder"]
    workers += ["-p", "tests.support.own_redis"]
    # Measured here and not in the longer run beside this one, since it costs a quarter of the time.
    measured = ["slipcover", "--source", ",".join(MEASURED), "--json", "--out", str(COVERAGE)]
    command = [sys.executable, "-m", *measured, "-m", "pytest", "-q", *workers, *(given or DATABASE_TESTS)]
    # Django names its test databases after the given one: a new name, so that runs side by side do not meet.
    with new_database() as database_url, ExitStack() as stack:
        urls = [stack.enter_context(empty_redis()) for _ in range(WORKERS)]
        servers = {
            "DATABASE_URL": database_url,
            "REDIS_URL": urls[0],
            "CHATSITE_TEST_REDIS_URLS": " ".join(urls),
        }
        status = subprocess.run(command, env=os.environ | servers, check=False).returncode
    return status or (not given and too_little_covered())


def too_little_covered() -> bool:
    """Print what share of the lines the database tests reach; whether it lies below the floor."""
    files = json.loads(COVERAGE.read_text())["files"]
    below = False
    for package, floor in MEASURED.items():
        counted = [
            path for path in files if path.startswith(f"{package}/") and not path.startswith(NO_DATABASE)
        ]
        lines = [files[path]["summary"] for path in counted]
        covered = sum(one["covered_lines"] for one in lines)
        share = 100 * covered / (covered + sum(one["missing_lines"] for one in lines))
        print(f"Lines of {package}/ that the database tests reach: {share:.1f} % (floor {floor} %)")
        below |= share < floor
    return below


if __name__ == "__main__":
    raise SystemExit(main())
