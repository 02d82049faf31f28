"""Restore the files of documents from our own zip (`documents/<id>`); without one the text is kept."""

from __future__ import annotations

import zipfile
from collections.abc import Set
from pathlib import Path
from uuid import UUID

from django.conf import settings

from chatsite.attachments.storage import do_store_file, file_path, incoming_path
from chatsite.attachments.stored import storage_limit, stored_bytes
from chatsite.quotas.plans import limits_of
from chatsite.transfer.schema import ConversationRecord
from chatsite.transfer.validation import ImportRefusedError

FOLDER = "documents/"
READ_BYTES = 1024 * 1024
MEGABYTE = 1024 * 1024


class StorageCheck:
    """Checks that imported documents fit into the owner's storage, before anything is stored."""

    def __init__(self, owner: int, path: Path) -> None:
        self._left = storage_limit(limits_of(owner).max_stored_mb) - stored_bytes(owner)
        self._sizes = _sizes(path)

    def check(self, record: ConversationRecord, held: Set[str], *, files: bool) -> None:
        """`held`: which of its documents are stored already, and take no more room.

        `files`: they were files here, each within an upload's limit. Raises ImportRefusedError.
        """
        for number, document in enumerate(record.documents):
            place = f"{record.id} $.documents[{number}].size"
            if self._sizes.get(document.id, document.size) != document.size:
                raise ImportRefusedError(place, f"its file {FOLDER}{document.id} is of another size.")
            self._left -= 0 if document.id in held else document.size
            is_too_large = files and document.size > settings.MAX_UPLOAD_MB * MEGABYTE
            if is_too_large or self._left < 0:
                raise ImportRefusedError(place, "the documents take more room than is left for you here.")


def do_store_files(path: Path, files: dict[str, UUID]) -> None:
    """Store the files of these documents, as far as the zip has them."""
    wanted = {source: id for source, id in files.items() if not file_path(id).exists()}
    if not wanted or not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        present = _documents(archive)
        for source, id in wanted.items():
            if source not in present:
                continue
            with archive.open(present[source]) as file, incoming_path(id).open("wb") as target:
                # No more than the directory says, which was checked: zipfile ends there by itself.
                while part := file.read(READ_BYTES):
                    target.write(part)
            do_store_file(id)


def _sizes(path: Path) -> dict[str, int]:
    if not zipfile.is_zipfile(path):
        return {}
    try:
        with zipfile.ZipFile(path) as archive:
            return {id: entry.file_size for id, entry in _documents(archive).items()}
    except zipfile.BadZipFile:
        return {}  # `documents` says so, with the reason


def _documents(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """By id. They may lie in a folder that was zipped again, with what a Mac lays beside each file."""
    entries = [entry for entry in archive.infolist() if is_document_file(entry.filename)]
    return {entry.filename.replace("\\", "/").rpartition("/")[2]: entry for entry in entries}


def is_document_file(name: str) -> bool:
    """Whether a file of a zip is a document as our own export lays it there."""
    folder, _, id = name.replace("\\", "/").rpartition("/")
    return bool(id) and f"/{folder}/".endswith(f"/{FOLDER}") and not name.startswith("__MACOSX/")
