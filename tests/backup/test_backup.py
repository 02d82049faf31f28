"""A site is backed up, destroyed and restored, on SQLite and PostgreSQL: everything is there."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests.support import services
from tests.support.prepared import give_key, migrated_database, prepare
from tests.support.source import ROOT
from tests.support.waiting import PATIENCE_S

pytestmark = pytest.mark.slow

FILL = """
from tests.support.people import submit, make_user
from chatsite.accounts.models import ApiKey
from chatsite.attachments.models import Attachment
from chatsite.attachments.storage import do_store_file, incoming_path
from chatsite.conversations.models import Feedback
for name in ("alice", "bob"):
    user = make_user(name, "correct horse battery")
    for number in range(15):
        done = submit(user, f"西湖 {number}\\t\\\\N 'quoted'")
    Feedback.objects.create(message_id=done.answer, value=1, comment="好\\n")
    document = Attachment.objects.create(owner=user, name="x.txt", size=5, text="hello")
    incoming_path(document.id).write_bytes(b"hello")
    do_store_file(document.id)
"""

LOOK = """
import hashlib, json
from django.apps import apps
from django.core import serializers
from django.core.management import call_command
from chatsite.accounts.models import User
from chatsite.attachments.models import Attachment
from chatsite.attachments.storage import file_path
from chatsite.conversations.search import search
seen = {}
for model in apps.get_models(include_auto_created=True):
    rows = sorted(serializers.serialize("json", [row]) for row in model._default_manager.all())
    seen[model._meta.label] = [len(rows), hashlib.sha256(json.dumps(rows).encode()).hexdigest()]
alice = User.objects.get(email="alice@example.org")
seen["found"] = len(search(alice.pk, "西湖")[0])
seen["password"] = alice.check_password("correct horse battery")
seen["files"] = sorted(file_path(one.id).read_text() for one in Attachment.objects.all())
seen["new"] = User.objects.create_user("new@example.org").pk
User.objects.filter(email="new@example.org").delete()
call_command("reconcile", "--dry-run")
print("SEEN" + json.dumps(seen))
"""
"""Every row, and what only a working site can tell; fails where ledger and answers do not agree."""

CHANGE = """
from tests.support.people import make_user
from chatsite.accounts.models import User
User.objects.all().delete()
make_user("mallory")
"""

WHO = """
from chatsite.accounts.models import User
print("WHO", *User.objects.order_by("email").values_list("email", flat=True))
"""

DO = """
from django.core.management import call_command
for command in {commands!r}:
    call_command(*command)
"""
"""Several commands in one process: starting Django costs more than most of them."""

REFUSED = """
from django.core.management import CommandError, call_command
for command in {commands!r}:
    try:
        call_command(*command)
    except CommandError as error:
        print("REFUSED", str(error).replace("\\n", " "))
    else:
        print("REFUSED not at all")
"""
"""Why each of several commands is refused."""


@dataclass(frozen=True)
class Home:
    """A data directory and a database, and manage.py on them."""

    data: Path
    database_url: str

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {
            name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")
        }
        environment |= {"CHATSITE_DATA_DIR": str(self.data), "PYTHONPATH": str(ROOT)}
        if self.database_url:
            environment["DATABASE_URL"] = self.database_url
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )

    def do(self, *arguments: str) -> str:
        """Run a command that must succeed."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def look(self, first: str = "") -> dict[str, object]:
        """What is here, after this script."""
        found: dict[str, object] = json.loads(self.do("shell", "-c", first + LOOK).partition("SEEN")[2])
        return found

    def destroy(self) -> None:
        shutil.rmtree(self.data)
        if self.database_url:
            with psycopg.connect(self.database_url, autocommit=True) as connection:
                connection.execute("DROP SCHEMA public CASCADE")
                connection.execute("CREATE SCHEMA public")


@dataclass(frozen=True)
class Filled:
    """A site with people in it that nobody changes, what is in it, and its backup."""

    home: Home
    seen: dict[str, object]
    backup: Path

    @contextmanager
    def copy(self, data: Path) -> Iterator[Home]:
        shutil.copytree(self.home.data, data)
        if not self.home.database_url:
            yield Home(data, "")
            return
        with services.new_database(self.home.database_url) as url:
            yield Home(data, url)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def filled(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    """Made once for each kind of database; each test has a copy (`home`)."""
    folder = tmp_path_factory.mktemp(kind)
    data, backup = folder / "data", folder / "site.backup"
    if kind == "sqlite":
        prepare(data)
        yield fill(Home(data, ""), backup)
        return
    give_key(data)
    with migrated_database() as url:
        yield fill(Home(data, url), backup)


def fill(home: Home, backup: Path) -> Filled:
    seen = home.look(FILL)
    home.do("backup", str(backup))
    return Filled(home, seen, backup)


@pytest.fixture
def home(filled: Filled, tmp_path: Path) -> Iterator[Home]:
    with filled.copy(tmp_path / "data") as home:
        yield home


def check_it_is_as_it_was(home: Home, before: dict[str, object]) -> None:
    """All that was seen is there; a new row gets a number that none has had."""
    after = home.look()
    assert int(after["new"]) >= int(before["new"])  # type: ignore[call-overload]
    assert after | {"new": 0} == before | {"new": 0}


def test_a_backup_is_whole_and_its_owners_alone(filled: Filled) -> None:
    assert filled.backup.stat().st_mode & 0o077 == 0
    assert not list(filled.backup.parent.glob("*.part"))
    assert filled.seen["found"] == 10  # a page of hits
    assert filled.seen["files"] == ["hello", "hello"]
    assert filled.seen["password"]


def test_what_was_destroyed_is_restored(filled: Filled, home: Home) -> None:
    key = (home.data / "secret_key").read_text()
    home.destroy()
    home.do("restore", str(filled.backup))
    check_it_is_as_it_was(home, filled.seen)
    assert (home.data / "secret_key").read_text() == key


def test_what_is_here_is_replaced_only_if_that_is_said(filled: Filled, home: Home) -> None:
    restore = ("restore", str(filled.backup))
    script = CHANGE + REFUSED.format(commands=[restore]) + DO.format(commands=[(*restore, "--replace")])
    assert "--replace" in home.do("shell", "-c", script).partition("REFUSED")[2]
    check_it_is_as_it_was(home, filled.seen)


def people_after(home: Home, *commands: tuple[str, ...], then: str = "") -> list[str]:
    """Who is there once these commands have run, and before the script `then` does."""
    said = home.do("shell", "-c", DO.format(commands=commands) + WHO + then)
    return said.partition("WHO")[2].splitlines()[0].split()


def test_who_was_erased_since_stays_erased(filled: Filled, home: Home, tmp_path: Path) -> None:
    restore, later = ("restore", str(filled.backup)), str(tmp_path / "later.backup")
    erase = ("erase_account", "alice@example.org", "--yes")
    assert people_after(home, erase, (*restore, "--replace")) == ["bob@example.org"]
    copy = tmp_path / "erasures.txt"
    shutil.copy(home.data / "erasures.txt", copy)
    home.destroy()
    backup = DO.format(commands=[("backup", later)])
    assert people_after(home, (*restore, "--erasures", str(copy)), then=backup) == ["bob@example.org"]
    home.destroy()
    wrong = REFUSED.format(commands=[(*restore, "--replace", "--erasures", str(filled.backup))])
    said = home.do("shell", "-c", DO.format(commands=[("restore", later)]) + wrong)
    assert (home.data / "erasures.txt").read_text() == copy.read_text()
    assert "none of a list of erasures" in said.partition("REFUSED")[2]


def test_what_is_refused_changes_nothing(filled: Filled, home: Home, tmp_path: Path, kind: str) -> None:
    with zipfile.ZipFile(filled.backup) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(contents["manifest.json"])
    other = {"sqlite": "postgresql", "postgresql": "sqlite"}[kind]
    elsewhere = json.dumps(manifest | {"database": other, "entries": {}}).encode()

    def changed(entries: dict[str, bytes | None]) -> str:
        path = tmp_path / f"changed-{len(list(tmp_path.iterdir()))}"
        with zipfile.ZipFile(path, "w") as archive:
            for name, held in (contents | entries).items():
                if held is not None:
                    archive.writestr(name, held)
        return str(path)

    def whole(more: dict[str, bytes | None], **other: object) -> str:
        """A backup with these files in it that agrees with its own list and checksums."""
        entries = {
            name: {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in more.items()
            if content is not None
        }
        listed = manifest | {"entries": manifest["entries"] | entries} | other
        return changed(more | {"manifest.json": json.dumps(listed).encode()})

    newer = [*manifest["migrations"], ["accounts", "9999_of_tomorrow"]]
    unfit, why = {
        "sqlite": ({"database.sqlite3": b"no database" * 100}, "not a database"),
        "postgresql": ({"tables/of_tomorrow": b"id\n1\n"}, "no such table"),
    }[kind]
    refused = {
        ("backup", str(filled.backup)): "exists already",
        ("restore", whole({}, migrations=newer), "--replace"): "accounts.9999_of_tomorrow is not known here",
        ("restore", whole({"attachments/../../out": b"x"}), "--replace"): "leads out of its folder",
        ("restore", whole(dict(unfit)), "--replace"): why,
        ("restore", changed({"secret_key": b"other"}), "--replace"): "checksum",
        ("restore", changed({"secret_key": None}), "--replace"): "do not agree",
        ("restore", changed({"more": b"x"}), "--replace"): "do not agree",
        ("restore", changed({"manifest.json": b"{}"}), "--replace"): "no backup of chatsite",
        ("restore", changed({"manifest.json": elsewhere}), "--replace"): "on its own kind",
        ("restore", __file__, "--replace"): "cannot be read",
    }
    said = home.do("shell", "-c", REFUSED.format(commands=list(refused)))
    assert "Traceback" not in said
    reasons = [line for line in said.splitlines() if line.startswith("REFUSED")]
    assert len(reasons) == len(refused)
    for command, reason, line in zip(refused, refused.values(), reasons, strict=True):
        assert reason in line, command
    check_it_is_as_it_was(home, filled.seen)


def test_a_running_site_is_left_alone(filled: Filled, home: Home, kind: str) -> None:
    if kind == "sqlite":
        with (home.data / "inference.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            done = home.run("restore", str(filled.backup), "--replace")
    else:
        with psycopg.connect(home.database_url):
            done = home.run("restore", str(filled.backup), "--replace")
    assert done.returncode != 0
    assert "Stop" in done.stderr
