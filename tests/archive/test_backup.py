"""A site is backed up, destroyed and restored, on SQLite and PostgreSQL: everything is there."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from tests import services
from tests.source import ROOT

pytestmark = pytest.mark.slow

Manage = Callable[..., subprocess.CompletedProcess[str]]

FILL = """
from tests.people import submit, make_user
from chatsite.accounts.models import ApiKey
from chatsite.attachments.models import Attachment
from chatsite.attachments.storage import incoming_path, keep
from chatsite.conversations.models import Feedback
for name in ("alice", "bob"):
    user = make_user(name, "correct horse battery")
    for number in range(15):
        done = submit(user, f"西湖 {number}\\t\\\\N 'quoted'")
    Feedback.objects.create(message_id=done.answer, value=1, comment="好\\n")
    document = Attachment.objects.create(owner=user, name="x.txt", size=5, text="hello")
    incoming_path(document.id).write_bytes(b"hello")
    keep(document.id)
"""

LOOK = """
import hashlib, json
from django.apps import apps
from django.core import serializers
from django.contrib.auth import authenticate
from chatsite.accounts.models import User
from chatsite.attachments.models import Attachment
from chatsite.attachments.storage import path_of
from chatsite.conversations.search import search
seen = {}
for model in apps.get_models(include_auto_created=True):
    rows = sorted(serializers.serialize("json", [row]) for row in model._default_manager.all())
    seen[model._meta.label] = [len(rows), hashlib.sha256(json.dumps(rows).encode()).hexdigest()]
alice = User.objects.get(email="alice@example.org")
seen["found"] = len(search(alice.pk, "西湖")[0])
seen["password"] = alice.check_password("correct horse battery")
seen["files"] = sorted(path_of(one.id).read_text() for one in Attachment.objects.all())
seen["new"] = User.objects.create_user("new@example.org").pk
User.objects.filter(email="new@example.org").delete()
print("SEEN" + json.dumps(seen))
"""


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def database_url(kind: str) -> Iterator[str]:
    if kind == "sqlite":
        yield ""
    else:
        with services.new_database() as url:
            yield url


@pytest.fixture
def manage(tmp_path: Path, database_url: str) -> Manage:
    """manage.py on a data directory and a database of its own."""
    environment = {
        name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")
    }
    environment |= {"CHATSITE_DATA_DIR": str(tmp_path / "data"), "PYTHONPATH": str(ROOT)}
    if database_url:
        environment["DATABASE_URL"] = database_url

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120
        )

    return run


def look(manage: Manage) -> dict[str, object]:
    done = manage("shell", "-c", LOOK)
    assert "SEEN" in done.stdout, done.stderr
    found: dict[str, object] = json.loads(done.stdout.partition("SEEN")[2])
    return found


@pytest.fixture
def filled(manage: Manage) -> Manage:
    """A site with people in it."""
    for arguments in (("migrate",), ("shell", "-c", FILL)):
        done = manage(*arguments)
        assert done.returncode == 0, done.stderr
    return manage


def destroy(tmp_path: Path, database_url: str) -> None:
    shutil.rmtree(tmp_path / "data")
    if database_url:
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")


def test_what_was_destroyed_is_restored(filled: Manage, tmp_path: Path, database_url: str) -> None:
    before = look(filled)
    key = (tmp_path / "data/secret_key").read_text()
    backup = tmp_path / "site.backup"
    done = filled("backup", str(backup))
    assert done.returncode == 0, done.stderr
    assert backup.stat().st_mode & 0o077 == 0
    assert not list(tmp_path.glob("*.part"))
    assert "exists already" in filled("backup", str(backup)).stderr

    destroy(tmp_path, database_url)
    done = filled("restore", str(backup))
    assert done.returncode == 0, done.stderr
    after = look(filled)
    assert after.pop("new") >= before.pop("new")
    assert after == before
    assert after["found"] == 10  # a page of hits
    assert after["files"] == ["hello", "hello"]
    assert (tmp_path / "data/secret_key").read_text() == key
    assert filled("reconcile", "--dry-run").returncode == 0

    assert "--replace" in filled("restore", str(backup)).stderr
    filled("shell", "-c", "from chatsite.accounts.models import User; User.objects.all().delete()")
    filled("shell", "-c", "from tests.people import make_user; make_user('mallory')")
    assert filled("restore", str(backup), "--replace").returncode == 0
    again = look(filled)
    again.pop("new")
    assert again == before


def test_a_damaged_backup_changes_nothing(filled: Manage, tmp_path: Path) -> None:
    backup = tmp_path / "site.backup"
    assert filled("backup", str(backup)).returncode == 0
    before = look(filled)
    with zipfile.ZipFile(backup) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}

    def changed(name: str, content: bytes | None) -> Path:
        path = tmp_path / f"damaged-{len(name)}-{content is None}"
        with zipfile.ZipFile(path, "w") as archive:
            for each, held in (contents | {name: content}).items():
                if held is not None:
                    archive.writestr(each, held)
        return path

    for path, reason in (
        (changed("secret_key", b"other"), "checksum"),
        (changed("secret_key", None), "do not agree"),
        (changed("more", b"x"), "do not agree"),
        (changed("manifest.json", b"{}"), "no backup of chatsite"),
        (Path(__file__), "cannot be read"),
    ):
        done = filled("restore", str(path), "--replace")
        assert done.returncode != 0
        assert reason in done.stderr
    after = look(filled)
    assert after.pop("new") >= before.pop("new")
    assert after == before


def test_a_running_site_is_left_alone(filled: Manage, tmp_path: Path, kind: str, database_url: str) -> None:
    backup = tmp_path / "site.backup"
    assert filled("backup", str(backup)).returncode == 0
    if kind == "sqlite":
        with (tmp_path / "data/inference.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            done = filled("restore", str(backup), "--replace")
    else:
        with psycopg.connect(database_url):
            done = filled("restore", str(backup), "--replace")
    assert done.returncode != 0
    assert "Stop" in done.stderr


def test_another_kind_of_database_is_refused(filled: Manage, tmp_path: Path, kind: str) -> None:
    backup = tmp_path / "site.backup"
    assert filled("backup", str(backup)).returncode == 0
    with zipfile.ZipFile(backup) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    other = {"sqlite": "postgresql", "postgresql": "sqlite"}[kind]
    with zipfile.ZipFile(tmp_path / "other", "w") as archive:
        archive.writestr("manifest.json", json.dumps(manifest | {"database": other, "entries": {}}))
    assert "on its own kind" in filled("restore", str(tmp_path / "other")).stderr
