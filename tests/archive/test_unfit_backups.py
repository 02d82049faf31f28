"""A backup that is whole and still does not fit this site: refused, with everything left as it was."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import services
from tests.source import ROOT

pytestmark = pytest.mark.slow

Manage = Callable[..., str]

COUNT = """
from chatsite.accounts.models import User
from chatsite.attachments.models import Attachment
from chatsite.attachments.storage import path_of
files = [path_of(one.id).read_text() for one in Attachment.objects.all()]
print("SEEN", [user.email for user in User.objects.all()], files)
"""
FILL = """
from tests.people import make_user
from chatsite.attachments.models import Attachment
from chatsite.attachments.storage import incoming_path, keep
document = Attachment.objects.create(owner=make_user("alice"), name="x.txt", size=5, text="hello")
incoming_path(document.id).write_bytes(b"hello")
keep(document.id)
"""
SEEN = "SEEN ['alice@example.org'] ['hello']"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def manage(tmp_path: Path, kind: str) -> Iterator[Manage]:
    """manage.py on a site with somebody in it; what it printed, errors too."""
    environment = {
        name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")
    }
    environment |= {"CHATSITE_DATA_DIR": str(tmp_path / "data"), "PYTHONPATH": str(ROOT)}

    def run(*arguments: str) -> str:
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        return done.stdout + done.stderr

    def filled() -> Manage:
        run("migrate")
        run("shell", "-c", FILL)
        assert SEEN in run("shell", "-c", COUNT)
        return run

    if kind == "sqlite":
        yield filled()
    else:
        with services.new_database() as url:
            environment["DATABASE_URL"] = url
            yield filled()


def test_a_backup_that_does_not_fit_changes_nothing(manage: Manage, tmp_path: Path, kind: str) -> None:
    backup, odd = tmp_path / "site.backup", tmp_path / "odd.backup"
    manage("backup", str(backup))
    with zipfile.ZipFile(backup) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    manifest: dict[str, Any] = json.loads(contents.pop("manifest.json"))

    def restored(more: dict[str, bytes], **changed: object) -> str:
        """What `restore` says to the backup with these files in it, whole by its checksums."""
        entries = {
            name: {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in more.items()
        }
        new = manifest | {"entries": manifest["entries"] | entries} | changed
        with zipfile.ZipFile(odd, "w") as archive:
            for name, content in (contents | more | {"manifest.json": json.dumps(new).encode()}).items():
                archive.writestr(name, content)
        return manage("restore", str(odd), "--replace")

    newer = [*manifest["migrations"], ["accounts", "9999_of_tomorrow"]]
    database, reason = {
        "sqlite": ({"database.sqlite3": b"no database" * 100}, "not a database"),
        "postgresql": ({"tables/of_tomorrow": b"id\n1\n"}, "no such table"),
    }[kind]
    for said, expected in (
        (restored({}, migrations=newer), "accounts.9999_of_tomorrow is not known here"),
        (restored({"attachments/../../out": b"x"}), "leads out of its folder"),
        (restored(database), reason),
    ):
        assert expected in said
        assert "Traceback" not in said
        assert SEEN in manage("shell", "-c", COUNT)
