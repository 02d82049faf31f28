"""Files of documents beside the records, `documents/<id>` in our own zip. Without one its text is kept."""

from __future__ import annotations

import zipfile
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db.models import Sum

from chatsite.archive.checking import ImportRefusedError
from chatsite.archive.schema import ConversationRecord
from chatsite.attachments.models import Attachment
from chatsite.attachments.storage import incoming_path, keep, path_of

FOLDER = "documents/"
READ_BYTES = 1024 * 1024
MEGABYTE = 1024 * 1024


class Room:
    """Whether what comes fits beside what its owner has, asked before anything is stored."""

    def __init__(self, owner: int, path: Path) -> None:
        held = Attachment.objects.filter(owner_id=owner).aggregate(bytes=Sum("size"))["bytes"] or 0
        self._left = settings.MAX_STORED_MB * MEGABYTE - held
        self._sizes = _sizes(path)

    def check(self, record: ConversationRecord) -> None:
        """Raises ImportRefusedError."""
        for number, document in enumerate(record.documents):
            place = f"{record.id} $.documents[{number}].size"
            if self._sizes.get(document.id, document.size) != document.size:
                raise ImportRefusedError(place, f"its file {FOLDER}{document.id} is of another size.")
            self._left -= document.size
            if document.size > settings.MAX_UPLOAD_MB * MEGABYTE or self._left < 0:
                raise ImportRefusedError(place, "the documents take more room than is left for you here.")


def store_files(path: Path, files: dict[str, UUID]) -> None:
    """Put the files of these documents in their places, as far as the zip has them."""
    wanted = {source: id for source, id in files.items() if not path_of(id).exists()}
    if not wanted or not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        present = set(archive.namelist())
        for source, id in wanted.items():
            if FOLDER + source not in present:
                continue
            with archive.open(FOLDER + source) as file, incoming_path(id).open("wb") as target:
                # No more than the directory says, which was checked: zipfile ends there by itself.
                while part := file.read(READ_BYTES):
                    target.write(part)
            keep(id)


def _sizes(path: Path) -> dict[str, int]:
    if not zipfile.is_zipfile(path):
        return {}
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except zipfile.BadZipFile:
        return {}  # `documents` says so, with the reason
    return {
        one.filename.removeprefix(FOLDER): one.file_size for one in entries if one.filename.startswith(FOLDER)
    }
