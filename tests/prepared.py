"""A site whose data directory is as a first start leaves it, copied instead of made again.

Migrating and compressing the static files take six seconds of processor time, the same for every site. They
are done once for the code as it is, in var/test-site/, by whichever process of whichever run comes first.
Sites that shall show a first start use `bench.site.embedded` itself.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from bench import site as sites
from chatsite.assets import build_hash
from tests.source import ROOT

HOME = ROOT / "var" / "test-site"

KEPT = ("chatsite.sqlite3", "static")
"""What is the same for every site. Its secret key, its people and its files are its own."""

PREPARE = """
from pathlib import Path
from django.conf import settings
from django.core.management import call_command
from chatsite.assets import mark_collected
call_command("migrate", interactive=False, verbosity=0)
call_command("collectstatic", interactive=False, verbosity=0)
mark_collected(Path(settings.STATIC_ROOT))
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
    HOME.mkdir(parents=True, exist_ok=True)
    template = HOME / digest()
    with (HOME / ".lock").open("w") as lock:
        # Held while copying too: a run of other code may not clear this away in the middle.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not template.is_dir():
            make(template)
        shutil.copytree(template, data_dir, dirs_exist_ok=True)


def make(template: Path) -> None:
    """Make the template, whole or not at all, instead of those of earlier code."""
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
def prepared_site(settings: Mapping[str, str], data_dir: Path) -> Iterator[sites.Site]:
    """The whole site in one process on SQLite, ready for questions."""
    prepare(data_dir)
    with sites.embedded(settings, data_dir) as site:
        site.wait("/readyz")
        yield site
