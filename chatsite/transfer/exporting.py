"""Write an export to a file: one document, or a zip with one per conversation, read one by one."""

from __future__ import annotations

import zipfile
from pathlib import Path
from uuid import UUID

import msgspec
from django.db.models import Sum

from chatsite.attachments.models import Attachment
from chatsite.attachments.storage import file_path
from chatsite.conversations.access import access_conversation
from chatsite.conversations.lengths import is_short
from chatsite.conversations.models import Message
from chatsite.errors import Refusal
from chatsite.transfer.account_data import read_account
from chatsite.transfer.export_rows import exportable, read_records, read_records_of
from chatsite.transfer.naming import stem_of
from chatsite.transfer.progress import ProgressCallback, ignore_progress
from chatsite.transfer.render.formats import FORMATS
from chatsite.transfer.schema import ConversationRecord
from chatsite.transfer.sources.files import FOLDER

MAX_CHARS_AT_ONCE = 1024 * 1024
"""Of a conversation with its documents that is written while somebody waits; a longer one is a job's work."""


def read_one(owner: int, conversation: UUID, leaf: UUID | None) -> ConversationRecord:
    """One conversation, or of it the branch that ends in `leaf`. Raises Refusal `not_found`."""
    for record in read_records_of(owner, [conversation]):
        try:
            return record.branch(str(leaf)) if leaf else record
        except KeyError as error:
            raise Refusal("not_found", "There is no such message in this conversation.") from error
    raise Refusal("not_found", "There is no such conversation.")


def check_there(owner: int, conversation: UUID, leaf: UUID | None) -> None:
    """Raises Refusal `not_found` where `read_one` would."""
    messages = Message.objects.filter(conversation=access_conversation(owner, conversation), deleted_at=None)
    if leaf and not messages.filter(id=leaf).exists():
        raise Refusal("not_found", "There is no such message in this conversation.")


def check_short(owner: int, conversation: UUID) -> None:
    """Raises Refusal `too_long` for a conversation that is no file of a moment, `not_found` for none."""
    found = access_conversation(owner, conversation)
    messages = Message.objects.filter(conversation=found, deleted_at=None)
    texts = Attachment.objects.filter(conversation=found).aggregate(chars=Sum("chars"))["chars"] or 0
    if not is_short(messages, MAX_CHARS_AT_ONCE - texts):
        raise Refusal(
            "too_long",
            f"The conversation has more than {MAX_CHARS_AT_ONCE:,} characters with its documents. "
            "Ask for it at /api/archive/exports.",
        )


def write_one(
    owner: int, conversation: UUID, leaf: UUID | None, format: str, folder: Path, tell: ProgressCallback
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
        path = file_path(UUID(document.id))
        if path.is_file():
            archive.write(path, FOLDER + document.id)


def write_all(owner: int, format: str, folder: Path, tell: ProgressCallback) -> Path:
    """A zip of everything: `conversations/`, and for JSON `account.json` and the files of `documents/`."""
    kind = FORMATS[format]
    total = exportable(owner).count()
    path = folder / f"chatsite-{kind.suffix}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        if format == "json":
            account = msgspec.json.encode(read_account(owner))
            archive.writestr("account.json", msgspec.json.format(account, indent=1) + b"\n")
        done = 0
        for record in read_records(owner):
            tell(done, total)
            archive.writestr(
                f"conversations/{stem_of(record)}.{kind.suffix}", kind.render(record, ignore_progress)
            )
            if format == "json":
                _add_files(archive, record)
            done += 1  # noqa: SIM113 - enumerate would hold the record
            del record  # or it were held, with its documents, while the next ones are read
    tell(total, total)
    return path
