"""A site whose data directory or database is as a first start leaves it, copied instead of made again.

Migrating and compressing the static files take six seconds of processor time, the same for every site. They
are done once for the code as it is, in var/test-site/ and in one database of the tests' PostgreSQL, by
whichever process of whichever run comes first. Sites that shall show a first start use
`tests.support.site` itself.
"""

from __future__ import annotations

import fcntl
import hashlib
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from chatsite.server.assets import build_hash
from tests.support import services
from tests.support import site as sites
from tests.support.source import ROOT

HOME = ROOT / "var" / "test-site"

TEMPLATE = "chatsite_template_"
"""Begins the name of the database from which others are copied."""

KEPT = ("chatsite.sqlite3", "static")
"""What is the same for every site. Its secret key, its people and its files are its own."""

PREPARE = """
from django.core.management import call_command
call_command("migrate", interactive=False, verbosity=0)
call_command("collectstatic", interactive=False, verbosity=0)
"""


@cache
def digest() -> str:
    """Of everything that decides what a first start makes: static files, the code, the locked packages."""
    found = hashlib.sha256(build_hash().encode())
    code = (path for part in ("chatsite", "inference") for path in (ROOT / part).rglob("*.py"))
    for path in sorted([*code, ROOT / "requirements/dev.lock"]):
        found.update(str(path.relative_to(ROOT)).encode())
        found.update(path.read_bytes())
    return found.hexdigest()[:16]


def prepare(data_dir: Path) -> None:
    """Give this directory, which holds no site yet, migrated tables and collected static files."""
    with template_directory() as template:
        shutil.copytree(template, data_dir, dirs_exist_ok=True)
    give_key(data_dir)


@contextmanager
def template_directory() -> Iterator[Path]:
    """What every site is copied from, made now if need be; no run of other code clears it away meanwhile."""
    HOME.mkdir(parents=True, exist_ok=True)
    template = HOME / digest()
    with (HOME / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not template.is_dir():
            make(template)
        yield template


def give_key(data_dir: Path) -> None:
    """A secret key for this directory: beside tables that are there already the site makes none."""
    data_dir.mkdir(exist_ok=True)
    (data_dir / "secret_key").write_text(secrets.token_urlsafe(48))


def make(template: Path) -> None:
    """Make the template, whole or not at all, in place of earlier code's."""
    for other in HOME.iterdir():
        if other.is_dir():
            shutil.rmtree(other)
    making = HOME / ".making"
    making.mkdir()
    sites.Site(1, making, sites.environment(making, 1, {})).manage("shell", "-c", PREPARE)
    for path in making.iterdir():
        if path.name not in KEPT:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    making.rename(template)


@contextmanager
def migrated_database() -> Iterator[str]:
    """The address of a new PostgreSQL database with the site's tables."""
    name = f"{TEMPLATE}{digest()}"
    address = urlsplit(services.POSTGRES_URL)._replace(path=f"/{name}").geturl()
    with ExitStack() as stack:
        with psycopg.connect(services.POSTGRES_URL, autocommit=True) as server:
            # Held while copying too, as above; the server ends it with the connection.
            server.execute("SELECT pg_advisory_lock(hashtext(%s))", [TEMPLATE])
            if not server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                migrate(server, name, address)
            url = stack.enter_context(services.new_database(copy_of=address))
        yield url


@contextmanager
def tables(vendor: str, folder: Path) -> Iterator[str]:
    """The name of a database with the site's tables that nobody else uses; SQLite's lies in this folder."""
    if vendor == "postgresql":
        with migrated_database() as url:
            yield urlsplit(url).path.lstrip("/")
        return
    with template_directory() as template:
        copy = shutil.copy(template / KEPT[0], folder)
    yield str(copy)


def migrate(server: psycopg.Connection[tuple[str]], name: str, address: str) -> None:
    """Make the database from which others are copied, whole or not at all, in place of earlier code's."""
    earlier = server.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [TEMPLATE])
    for (other,) in earlier.fetchall():
        server.execute(f'DROP DATABASE "{other}" WITH (FORCE)')
    making = f"{name}_making"
    server.execute(f'CREATE DATABASE "{making}"')
    with tempfile.TemporaryDirectory() as folder:
        settings = {"DATABASE_URL": urlsplit(address)._replace(path=f"/{making}").geturl()}
        home = Path(folder)
        sites.Site(1, home, sites.environment(home, 1, settings)).manage("migrate", "--no-input")
    server.execute(f'ALTER DATABASE "{making}" RENAME TO "{name}"')


@contextmanager
def prepared_apart(settings: Mapping[str, str], webs: int = 1) -> Iterator[list[sites.Site]]:
    """`tests.support.site.apart` on a migrated database, with static files that are collected."""
    with tempfile.TemporaryDirectory() as folder, migrated_database() as url:
        static = Path(folder) / "static"
        with template_directory() as template:
            shutil.copytree(template / "static", static)
        with sites.apart(settings, webs, migrated=url, static=static) as running:
            yield running


@contextmanager
def prepared_site(settings: Mapping[str, str], data_dir: Path) -> Iterator[sites.Site]:
    """The whole site in one process on SQLite, ready for questions."""
    prepare(data_dir)
    with sites.embedded(settings, data_dir) as site:
        site.wait("/readyz")
        yield site
