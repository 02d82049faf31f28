"""The backup file: a zip of database, documents and secret key, with a manifest of their checksums."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Annotated, Literal

import msgspec

NAME = "manifest.json"
FORMAT = "chatsite.backup"
READ_BYTES = 1024 * 1024


class BackupError(Exception):
    """It cannot be made, or this one cannot be restored here; the message names value, rule and remedy."""


class BackupEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file in the backup."""

    size: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
    sha256: str


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`migrations`: the newest of each app. `has_secret_key` False: the key came from the environment."""

    format: Literal["chatsite.backup"] = "chatsite.backup"
    version: Literal[1] = 1
    made_at: datetime
    database: Literal["sqlite", "postgresql"]
    migrations: list[tuple[str, str]]
    has_secret_key: bool
    entries: dict[str, BackupEntry]


class BackupWriter:
    """Adds files and notes their checksums."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self.entries: dict[str, BackupEntry] = {}

    @contextmanager
    def open(self, name: str) -> Iterator[HashingFile]:
        """A file in the backup, to be written to."""
        with self._archive.open(name, "w", force_zip64=True) as file:
            hashed = HashingFile(file)
            yield hashed
        self.entries[name] = BackupEntry(hashed.size, hashed.digest.hexdigest())

    def add(self, name: str, path: Path) -> None:
        with path.open("rb") as source, self.open(name) as target:
            while part := source.read(READ_BYTES):
                target.write(part)


class HashingFile:
    """A file that knows what was written to it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()
        self.size = 0

    def write(self, part: bytes | memoryview) -> None:
        self._file.write(part)
        self.digest.update(part)
        self.size += len(part)


@contextmanager
def new_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """A zip that stands under its name only once it is whole and on the disk; for its owner's eyes alone."""
    partial = path.with_name(path.name + ".part")
    fd = os.open(partial, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                yield archive
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def read_manifest(archive: zipfile.ZipFile) -> Manifest:
    """Raises BackupError where this is no backup."""
    try:
        return msgspec.json.decode(archive.read(NAME), type=Manifest)
    except (KeyError, msgspec.MsgspecError) as error:
        raise BackupError(f"This is no backup of chatsite: {error}.") from error


def verify(archive: zipfile.ZipFile, manifest: Manifest) -> None:
    """Raises BackupError for the first file that is missing, changed, or not in the manifest."""
    present = {name for name in archive.namelist() if name != NAME}
    if odd := sorted(present ^ set(manifest.entries)):
        raise BackupError(f"{odd[0]}: the backup and its manifest do not agree on it.")
    for name, entry in manifest.entries.items():
        try:
            found = _checked(archive, name)
        except (zipfile.BadZipFile, OSError) as error:
            raise BackupError(f"{name}: damaged ({error}).") from error
        if found != entry:
            raise BackupError(f"{name}: its checksum is not that of the manifest.")


def _checked(archive: zipfile.ZipFile, name: str) -> BackupEntry:
    digest, size = hashlib.sha256(), 0
    with archive.open(name) as file:
        while part := file.read(READ_BYTES):
            digest.update(part)
            size += len(part)
    return BackupEntry(size, digest.hexdigest())
