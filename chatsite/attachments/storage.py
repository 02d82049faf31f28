"""Where the files lie: `attachments/<first two digits>/<id>` in the data directory, named by id alone.

What a person called a file is in its row and never becomes a path. A file is written under `incoming/`
first; the rename into its place is what makes it whole.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from uuid import UUID

from django.conf import settings

INCOMING = "incoming"


def storage_root() -> Path:
    """The directory of all files, for nobody but the site's own account."""
    path = Path(settings.DATA_DIR) / "attachments"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def file_path(id: UUID) -> Path:
    """Where the whole file of this attachment lies, or would."""
    return storage_root() / id.hex[:2] / id.hex


def incoming_path(id: UUID) -> Path:
    """Where it grows while it is being uploaded."""
    folder = storage_root() / INCOMING
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / id.hex


def do_store_file(id: UUID) -> None:
    """The upload is whole: move it into its place."""
    target = file_path(id)
    target.parent.mkdir(mode=0o700, exist_ok=True)
    os.replace(incoming_path(id), target)


def do_delete_files(ids: Iterable[UUID]) -> None:
    """Delete the files of these attachments, whole or half; what is gone already is fine."""
    for id in ids:
        file_path(id).unlink(missing_ok=True)
        incoming_path(id).unlink(missing_ok=True)


def files_stored_before(age_s: float) -> Iterator[UUID]:
    """Ids of all files that have not been written to for so long."""
    limit = time.time() - age_s
    for folder in storage_root().iterdir():
        for path in folder.iterdir():
            if path.stat().st_mtime < limit:
                yield UUID(path.name)
