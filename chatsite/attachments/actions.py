"""What people do with documents: upload them piece by piece, send them with a question.

A file comes in pieces of at most PIECE_BYTES, each a request of its own: Daphne hands a request over in one
go, so that a whole file would fill its memory and hold up every stream (docs/decisions/0060).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from chatsite.attachments.access import access_attachment, access_attachments
from chatsite.attachments.chosen import AttachmentChoice
from chatsite.attachments.models import Attached, Attachment
from chatsite.attachments.prompt import Excerpt, fenced
from chatsite.attachments.reading.reader import ExtractedDocument, read_document
from chatsite.attachments.reading.unreadable import UnreadableError
from chatsite.attachments.storage import do_delete_files, do_store_file, file_path, incoming_path
from chatsite.attachments.stored import storage_limit, stored_bytes
from chatsite.conversations.models import Conversation, Message
from chatsite.database import give_back_connection, lock_person
from chatsite.errors import Refusal
from chatsite.names import is_name, single_line, without_refused
from chatsite.token_counting import count_text

PIECE_BYTES = 512 * 1024
"""A millisecond or two of the event loop; 100 requests for the largest file."""

MEGABYTE = 1024 * 1024


@transaction.atomic
def do_begin_upload(user_id: int, name: str, size: int, plan_mb: int | None = None) -> Attachment:
    """A place for a file of `size` bytes; `plan_mb` is what the person's plan lets them store, if it says so.

    Raises Refusal `empty`, `too_long` or `quota_exceeded`.
    """
    if size == 0:
        raise Refusal("empty", "The file is empty.")
    if size > settings.MAX_UPLOAD_MB * MEGABYTE:
        raise Refusal(
            "too_long",
            f"The file has {size / MEGABYTE:,.1f} MB; at most {settings.MAX_UPLOAD_MB:,} MB can be attached.",
        )
    name = check_name(name)
    lock_person(user_id)  # so that what they have stored is exact
    stored, limit = stored_bytes(user_id), storage_limit(plan_mb)
    if stored + size > limit:
        raise Refusal(
            "quota_exceeded",
            f"Your documents and imports take {stored / MEGABYTE:,.0f} of {limit / MEGABYTE:,.0f} MB. "
            "Delete conversations with documents, or imported ones, that you no longer need.",
        )
    row = Attachment.objects.create(owner_id=user_id, name=name, size=size)
    incoming_path(row.id).touch(0o600)
    return row


def do_append_upload(user_id: int, id: UUID, offset: int, piece: bytes) -> int:
    """Store a piece where it belongs; returns how many bytes are there. A piece sent twice is the same piece.

    Raises Refusal `not_found`, `bad_frame`.
    """
    row = access_attachment(user_id, id)
    path = incoming_path(id)
    if row.status != Attachment.Status.UPLOADING or not path.exists():
        raise Refusal("bad_frame", "This file is complete already.")
    received = path.stat().st_size
    if len(piece) > PIECE_BYTES or offset > received or offset + len(piece) > row.size:
        raise Refusal(
            "bad_frame", f"{received:,} of {row.size:,} bytes are here; this piece does not follow."
        )
    with open(path, "r+b") as file:
        os.pwrite(file.fileno(), piece, offset)
    return max(received, offset + len(piece))


def check_upload_complete(row: Attachment) -> None:
    """Raises Refusal `bad_frame` where bytes are missing."""
    path = incoming_path(row.id)
    received = path.stat().st_size if path.exists() else 0
    if received != row.size and not file_path(row.id).exists():
        raise Refusal("bad_frame", f"Only {received:,} of {row.size:,} bytes are here.")


def do_complete(user_id: int, id: UUID) -> Attachment:
    """All pieces are here: read the document, in a limited process and outside of any transaction.

    Returns the row as it stands then, which may say that the document is unreadable. Raises Refusal.
    """
    row = access_attachment(user_id, id)
    if row.status == Attachment.Status.UPLOADING:
        check_upload_complete(row)
        give_back_connection()  # reading takes seconds
        _read(row)
    return access_attachment(user_id, id)


def _read(row: Attachment) -> None:
    path = incoming_path(row.id)
    try:
        stored = path if path.exists() else file_path(row.id)
        document = read_document(stored, settings.READ_LIMITS, row.owner_id)
    except UnreadableError as error:
        do_mark_unreadable(row.id, error)
        return
    do_store_text(row.id, document, _tokens(row, document))


def _tokens(row: Attachment, document: ExtractedDocument) -> int:
    return count_text(fenced(Excerpt(row.name, document.text)))


def do_choose_encoding(user_id: int, id: UUID, encoding: str) -> Attachment:
    """Read an unsent text once more, in an encoding of `reading.encodings`. Raises Refusal.

    What was sent stays as the model got it.
    """
    row = access_attachment(user_id, id)
    unsent = Attachment.objects.filter(id=id, conversation=None, status=Attachment.Status.READY)
    if row.kind not in (Attachment.Kind.TEXT, Attachment.Kind.HTML) or not unsent.exists():
        raise Refusal("bad_frame", "Only a text that was not sent yet can be read in another encoding.")
    give_back_connection()  # reading takes seconds
    try:
        document = read_document(file_path(id), settings.READ_LIMITS, user_id, encoding)
    except UnreadableError as error:
        raise Refusal("bad_frame", str(error)) from error
    unsent.update(**_read_fields(document, _tokens(row, document)))
    return access_attachment(user_id, id)


def _read_fields(document: ExtractedDocument, tokens: int) -> dict[str, Any]:
    """What a row has of a document that was read."""
    return {
        "kind": document.kind,
        "encoding": document.encoding,
        "pages": document.pages,
        "sparse_pages": document.sparse_pages,
        "chars": len(document.text),
        "tokens": tokens,
        "text": document.text,
    }


def do_store_text(id: UUID, document: ExtractedDocument, tokens: int) -> None:
    """The upload is whole and was read. Done twice it changes nothing."""
    with transaction.atomic():
        if incoming_path(id).exists():
            do_store_file(id)
        Attachment.objects.filter(id=id, status=Attachment.Status.UPLOADING).update(
            status=Attachment.Status.READY, **_read_fields(document, tokens)
        )


def do_mark_unreadable(id: UUID, why: UnreadableError) -> None:
    """The upload is whole and cannot be read: its row says why, its file goes."""
    with transaction.atomic():
        Attachment.objects.filter(id=id, status=Attachment.Status.UPLOADING).update(
            status=Attachment.Status.UNREADABLE, reason=why.reason, figures=why.figures, size=0
        )
        transaction.on_commit(lambda: do_delete_files([id]))


def access_choices(
    user_id: int, chosen: Sequence[AttachmentChoice], home: Conversation | None
) -> list[Attachment]:
    """The readable documents that shall go with a question in `home`. Raises Refusal.

    A document belongs to one conversation: the one that it was first sent in.
    """
    if len(chosen) > settings.MAX_ATTACHMENTS:
        raise Refusal(
            "too_long",
            f"{len(chosen)} documents; at most {settings.MAX_ATTACHMENTS} go with one question. "
            "Send them in several, or ask for one answer for each.",
        )
    if not chosen:
        return []
    rows = access_attachments(user_id, [one.id for one in chosen])
    for row in rows:
        if row.status != Attachment.Status.READY:
            raise Refusal("bad_frame", f"{row.name} cannot be read. Take it out.")
        if row.conversation_id is not None and (home is None or row.conversation_id != home.id):
            raise Refusal("not_found", f"{row.name} belongs to another conversation. Attach it again.")
    return rows


def do_attach(message: Message, rows: Sequence[Attachment], chars: Sequence[int | None]) -> None:
    """Inside the transaction that stores the message: these documents go with it."""
    Attached.objects.bulk_create(
        Attached(message=message, attachment=row, position=number, chars=most)
        for number, (row, most) in enumerate(zip(rows, chars, strict=True))
    )
    Attachment.objects.filter(id__in=[row.id for row in rows]).update(conversation=message.conversation)


def check_name(name: str) -> str:
    """A file's name for people to read: one line without folders. Raises Refusal `bad_frame`."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    line = without_refused(single_line(last))
    if not is_name(line):
        raise Refusal("bad_frame", "The file needs a name.")
    return line if len(line) <= 255 else line[:200] + "…" + line[-54:]
