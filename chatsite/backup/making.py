"""Make a backup of the whole site, and restore one."""

from __future__ import annotations

import fcntl
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.utils import timezone

from chatsite.account_deletion.erasure import erase_again
from chatsite.account_deletion.erasure_list import NAME as ERASURES
from chatsite.account_deletion.erasure_list import add_erasures, erasure_list_path
from chatsite.backup import postgres, sqlite
from chatsite.backup.manifest import (
    NAME,
    BackupError,
    BackupWriter,
    Manifest,
    new_archive,
    read_manifest,
    verify,
)

FILES = "attachments"
"""The folder of the data directory that holds people's documents."""

KEY = "secret_key"

Say = Callable[[str], None]


def make_backup(path: Path, say: Say) -> Manifest:
    """Write the backup to this path, whole or not at all. The site may run. Raises BackupError."""
    if path.exists():
        raise BackupError(f"{path}: exists already. Name another file.")
    data, key = Path(settings.DATA_DIR), Path(settings.DATA_DIR) / KEY
    with new_archive(path) as archive:
        writer = BackupWriter(archive)
        say("database …")
        # The database first: a document that is erased meanwhile is missing with its row's consent.
        (sqlite if connection.vendor == "sqlite" else postgres).dump_database(writer)
        files = sorted(
            one for one in (data / FILES).rglob("*") if one.is_file() and one.parent.name != "incoming"
        )
        for number, file in enumerate(files):
            if number % 100 == 0:
                say(f"documents {number} of {len(files)} …")
            if file.exists():
                writer.add(str(file.relative_to(data)), file)
        if key.is_file():
            writer.add(KEY, key)
        if erasure_list_path().is_file():
            writer.add(ERASURES, erasure_list_path())
        manifest = Manifest(
            made_at=timezone.now(),
            database=connection.vendor,  # type: ignore[arg-type]
            migrations=_migrations(),
            has_secret_key=key.is_file(),
            entries=writer.entries,
        )
        archive.writestr(NAME, msgspec.json.format(msgspec.json.encode(manifest), indent=1))
    return manifest


def restore_backup(path: Path, say: Say, *, replace: bool, erasures: Path | None = None) -> Manifest:
    """Make this site what it was. Everything is verified before anything changes. Raises BackupError.

    `replace`: what is here goes; without it a site that holds people is left alone. Who was erased since, by
    the list beside the database or by `erasures`, another such list, is erased again.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise BackupError(f"{path}: cannot be read ({error}).") from error
    with archive, _alone():
        manifest = read_manifest(archive)
        if manifest.database != connection.vendor:
            raise BackupError(
                f"This is a backup of {manifest.database}, and DATABASE_URL names {connection.vendor}. "
                "Restore it on its own kind; people can take their conversations along by export."
            )
        say("verifying …")
        verify(archive, manifest)
        _add_erasures(archive, manifest, erasures)
        _check_known(manifest)
        if not replace and (found := _people()):
            raise BackupError(
                f"This site holds {found} accounts. --replace erases them and all that is theirs."
            )
        say("documents …")
        documents = _unpacked(archive, manifest)
        say("database …")
        if manifest.database == "sqlite":
            sqlite.load_database(archive)
        else:
            postgres.load_database(archive, manifest)
        _put(documents)
        if manifest.has_secret_key:
            _write_key(Path(settings.DATA_DIR) / KEY, archive.read(KEY))
        say("migrations …")
        call_command("migrate", interactive=False, verbosity=0)
        if again := erase_again():
            say(f"{again} accounts that had been erased since were erased again")
    return manifest


def _add_erasures(archive: zipfile.ZipFile, manifest: Manifest, other: Path | None) -> None:
    """Put the lists of the backup and of the operator to the one that is here. Raises BackupError."""
    texts = {str(other): other.read_text(errors="replace")} if other else {}
    if ERASURES in manifest.entries:
        texts[ERASURES] = archive.read(ERASURES).decode(errors="replace")
    for name, text in texts.items():
        try:
            add_erasures(text)
        except ValueError as error:
            raise BackupError(f"{name}: {error}. Name a copy of {ERASURES}.") from error


def _check_known(manifest: Manifest) -> None:
    """Raises BackupError where the backup is of a newer site, whose tables this code does not know."""
    known = set(MigrationLoader(None).disk_migrations)
    if missing := [".".join(one) for one in manifest.migrations if one not in known]:
        raise BackupError(
            f"The backup is of a newer site: migration {missing[0]} is not known here. "
            "Restore it with that version of chatsite or a newer one."
        )


def _migrations() -> list[tuple[str, str]]:
    """The newest migrations that this database has, of each app."""
    loader = MigrationLoader(connection)
    applied = set(loader.applied_migrations)
    graph = loader.graph
    newest = [
        key for key in applied if key in graph.nodes
        and not any(child.key in applied and child.key[0] == key[0] for child in graph.node_map[key].children)
    ]  # fmt: skip
    return sorted(newest)


def _people() -> int:
    """Accounts here; 0 where there are no tables yet."""
    from chatsite.accounts.models import User

    if User._meta.db_table not in connection.introspection.table_names():
        return 0
    return User.objects.count()


def _unpacked(archive: zipfile.ZipFile, manifest: Manifest) -> Path:
    """The documents in a folder beside those that are here, which stay for now. Raises BackupError."""
    fresh = Path(settings.DATA_DIR) / f"{FILES}.restoring"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    for name in manifest.entries:
        if not name.startswith(f"{FILES}/"):
            continue
        path = (fresh / name.removeprefix(f"{FILES}/")).resolve()
        if not path.is_relative_to(fresh.resolve()):
            raise BackupError(f"{name}: leads out of its folder.")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with archive.open(name) as source, path.open("wb") as file:
            shutil.copyfileobj(source, file)
    return fresh


def _put(documents: Path) -> None:
    data = Path(settings.DATA_DIR)
    shutil.rmtree(data / FILES, ignore_errors=True)
    os.replace(documents, data / FILES)
    shutil.rmtree(data / "archive", ignore_errors=True)  # exports of the site that was


def _write_key(path: Path, content: bytes) -> None:
    fd = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(content)


@contextmanager
def _alone() -> Iterator[None]:
    """No site runs on this data while it is replaced. Raises BackupError."""
    with (Path(settings.DATA_DIR) / "inference.lock").open("w") as file:
        try:
            # What the inference process holds on SQLite for as long as it lives.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BackupError("The site is running on this data directory. Stop it first.") from error
        if connection.vendor == "postgresql" and (others := postgres.others_connected()):
            raise BackupError(f"{others} other connections use this database. Stop the site first.")
        yield
