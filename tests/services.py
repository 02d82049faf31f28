"""What the tests can use on this machine: PostgreSQL, Redis, Chromium, vLLM. Each is probed once.

`python -m tests.services [pytest arguments]` runs the suite's database tests a second time, on
PostgreSQL and Redis: Django's settings choose the servers when they are imported, so it takes a
process of its own.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from urllib.parse import urlsplit, urlunsplit

import psycopg
import redis

POSTGRES_URL = os.environ.get("CHATSITE_TEST_DATABASE_URL", "postgres://postgres@127.0.0.1:5432/postgres")
# Tests use databases that are empty, and never 0, the one that a person would use by hand.
REDIS_URL = os.environ.get("CHATSITE_TEST_REDIS_URL", "redis://127.0.0.1:6379/15")
REDIS_DATABASES = 16
"""What a Redis server has unless told otherwise."""

CONNECT_TIMEOUT_S = 3

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


WITHOUT: dict[str, Callable[[], str]] = {
    "postgres": without_postgres,
    "redis": without_redis,
    "browser": without_browser,
    "real_engine": without_vllm,
    "redis_server": partial(without, "redis-server"),
    "promtool": partial(without, "promtool"),
    "poppler": partial(without, "pdftotext"),
    "node": partial(without, "node"),
    "openai_js": without_openai_js,
}
"""Marker → why its tests cannot run here."""

OPTIONAL = {"node", "openai_js"}
"""Missing in CI too, these are told and no failure: the project itself needs no Node, and `.ci/run` uses npm
where the machine has it."""


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

    Another run's stream log would fence this one's off: epochs are counted per database server.
    """
    for number in range(REDIS_DATABASES - 1, 0, -1):
        url = urlunsplit(urlsplit(REDIS_URL)._replace(path=f"/{number}"))
        client = redis.Redis.from_url(url)
        try:
            if client.dbsize() == 0 and client.set("chatsite:in-use", os.getpid(), nx=True):
                try:
                    yield url
                finally:
                    client.flushdb()
                return
        finally:
            client.close()
    raise RuntimeError(f"All Redis databases but 0 at {REDIS_URL} hold something; empty one of them.")


def main() -> int:
    """Run pytest on PostgreSQL and Redis. Skipping is said loudly, and is an error in CI."""
    missing = list(filter(None, (without_postgres(), without_redis())))
    if missing:
        print("\nNOT TESTED on PostgreSQL and Redis:", *missing, sep="\n  ", file=sys.stderr)
        return 1 if CI else 0
    print("\nOnce more, on PostgreSQL and Redis", flush=True)
    workers = ["-n", str(WORKERS), "--dist", "loadfile", "--no-loadscope-reorder", "-p", "tests.own_redis"]
    command = [sys.executable, "-m", "pytest", "-q", *workers, *sys.argv[1:]]
    # Django names its test databases after the given one: a new name, so that runs side by side do not meet.
    with new_database() as database_url, ExitStack() as stack:
        urls = [stack.enter_context(empty_redis()) for _ in range(WORKERS)]
        servers = {
            "DATABASE_URL": database_url,
            "REDIS_URL": urls[0],
            "CHATSITE_TEST_REDIS_URLS": " ".join(urls),
        }
        return subprocess.run(
            command, env=os.environ | servers | {"REDIS_URL": urls[0]}, check=False
        ).returncode


if __name__ == "__main__":
    raise SystemExit(main())
