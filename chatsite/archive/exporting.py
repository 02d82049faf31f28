"""An export as a file: one document, or a zip of one per conversation, which are not all held at once."""

from __future__ import annotations

import zipfile
from pathlib import Path
from uuid import UUID

import msgspec

from chatsite.archive.account import read_account
from chatsite.archive.naming import stem_of
from chatsite.archive.reading import exportable, read, read_all
from chatsite.archive.render.formats import FORMATS, Tell, unheard
from chatsite.archive.schema import ConversationRecord
from chatsite.archive.sources.files import FOLDER
from chatsite.attachments.storage import path_of
from chatsite.errors import Refusal


def read_one(owner: int, conversation: UUID, leaf: UUID | None) -> ConversationRecord:
    """One conversation, or of it the branch that ends in `leaf`. Raises Refusal `not_found`."""
    for record in read(owner, [conversation]):
        try:
            return record.branch(str(leaf)) if leaf else record
        except KeyError as error:
            raise Refusal("not_found", "There is no such message in this conversation.") from error
    raise Refusal("not_found", "There is no such conversation.")


def write_one(
    owner: int, conversation: UUID, leaf: UUID | None, format: str, folder: Path, tell: Tell
) -> Path:
    """The document in this folder. Raises Refusal."""
    record = read_one(owner, conversation, leaf)
    kind = FORMATS[format]
    path = folder / f"{stem_of(record)}.{kind.suffix}"
    path.write_bytes(kind.render(record, tell))
    tell(1, 1)
    return path


def _add_files(archive: zipfile.ZipFile, record: ConversationRecord) -> None:
    """The files of its documents, as they were uploaded."""
    for document in record.documents:
        path = path_of(UUID(document.id))
        if path.is_file():
            archive.write(path, FOLDER + document.id)


def write_all(owner: int, format: str, folder: Path, tell: Tell) -> Path:
    """A zip of everything: `conversations/`, and for JSON `account.json` and the files of `documents/`."""
    kind = FORMATS[format]
    total = exportable(owner).count()
    path = folder / f"chatsite-{kind.suffix}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        if format == "json":
            account = msgspec.json.encode(read_account(owner))
            archive.writestr("account.json", msgspec.json.format(account, indent=1) + b"\n")
        done = 0
        for record in read_all(owner):
            tell(done, total)
            archive.writestr(f"conversations/{stem_of(record)}.{kind.suffix}", kind.render(record, unheard))
            if format == "json":
                _add_files(archive, record)
            done += 1  # noqa: SIM113 - enumerate would hold the record
            del record  # or it were held, with its documents, while the next ones are read
    tell(total, total)
    return path
