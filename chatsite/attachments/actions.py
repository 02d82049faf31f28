"""What people do with documents: upload them piece by piece, send them with a question.

A file comes in pieces of at most PIECE_BYTES, each a request of its own: Daphne hands a request over in one
go, so that a whole file would fill its memory and hold up every stream (docs/decisions/0060).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Sum

from chatsite.attachments.access import access_attachment, access_attachments
from chatsite.attachments.chosen import Chosen
from chatsite.attachments.models import Attached, Attachment
from chatsite.attachments.reading.reader import Document
from chatsite.attachments.reading.unreadable import UnreadableError
from chatsite.attachments.storage import delete_files, incoming_path, keep, path_of
from chatsite.conversations.models import Conversation, Message
from chatsite.errors import Refusal

PIECE_BYTES = 512 * 1024
"""A millisecond or two of the event loop; 100 requests for the largest file."""

MEGABYTE = 1024 * 1024


def do_begin(user_id: int, name: str, size: int) -> Attachment:
    """A place for a file of `size` bytes. Raises Refusal `empty`, `too_long` or `quota_exceeded`."""
    if size == 0:
        raise Refusal("empty", "The file is empty.")
    if size > settings.MAX_UPLOAD_MB * MEGABYTE:
        raise Refusal(
            "too_long",
            f"The file has {size / MEGABYTE:,.1f} MB; at most {settings.MAX_UPLOAD_MB:,} MB can be attached.",
        )
    stored = Attachment.objects.filter(owner_id=user_id).aggregate(bytes=Sum("size"))["bytes"] or 0
    if stored + size > settings.MAX_STORED_MB * MEGABYTE:
        raise Refusal(
            "quota_exceeded",
            f"Your documents take {stored / MEGABYTE:,.0f} of {settings.MAX_STORED_MB:,} MB. "
            "Delete conversations with documents that you no longer need.",
        )
    row = Attachment.objects.create(owner_id=user_id, name=check_name(name), size=size)
    incoming_path(row.id).touch(0o600)
    return row


def do_append(user_id: int, id: UUID, offset: int, piece: bytes) -> int:
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


def check_complete(row: Attachment) -> None:
    """Raises Refusal `bad_frame` where bytes are missing."""
    path = incoming_path(row.id)
    received = path.stat().st_size if path.exists() else 0
    if received != row.size and not path_of(row.id).exists():
        raise Refusal("bad_frame", f"Only {received:,} of {row.size:,} bytes are here.")


def do_keep(id: UUID, document: Document, tokens: int) -> None:
    """The upload is whole and was read. Done twice it changes nothing."""
    with transaction.atomic():
        if incoming_path(id).exists():
            keep(id)
        Attachment.objects.filter(id=id, status=Attachment.Status.UPLOADING).update(
            status=Attachment.Status.READY,
            kind=document.kind,
            pages=document.pages,
            chars=len(document.text),
            tokens=tokens,
            text=document.text,
        )


def do_reject(id: UUID, why: UnreadableError) -> None:
    """The upload is whole and cannot be read: its row says why, its file goes."""
    with transaction.atomic():
        Attachment.objects.filter(id=id, status=Attachment.Status.UPLOADING).update(
            status=Attachment.Status.UNREADABLE, reason=why.reason, figures=why.figures, size=0
        )
        transaction.on_commit(lambda: delete_files([id]))


def access_chosen(user_id: int, chosen: Sequence[Chosen], home: Conversation | None) -> list[Attachment]:
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
    line = "".join(c for c in " ".join(last.split()) if c.isprintable() and not 0xD800 <= ord(c) < 0xE000)
    if not line:
        raise Refusal("bad_frame", "The file needs a name.")
    return line if len(line) <= 255 else line[:200] + "…" + line[-54:]
