"""Documents as tests need them: made here, stored as an upload would."""

from __future__ import annotations

from chatsite.accounts.models import User
from chatsite.attachments.models import Attached, Attachment
from chatsite.attachments.storage import do_store_file, incoming_path
from chatsite.conversations.models import Message


def store(owner: User, name: str = "notes.txt", text: str = "The harbour opens at six.") -> Attachment:
    """A readable document in its owner's composer, with its file."""
    row = Attachment.objects.create(
        owner=owner,
        name=name,
        kind=Attachment.Kind.TEXT,
        size=len(text.encode()),
        status=Attachment.Status.READY,
        chars=len(text),
        tokens=len(text) // 3 + 1,
        text=text,
    )
    incoming_path(row.id).write_bytes(text.encode())
    do_store_file(row.id)
    return row


def attach(row: Attachment, message: Message, position: int = 0) -> None:
    """As the message's submit would."""
    Attachment.objects.filter(id=row.id).update(conversation=message.conversation)
    Attached.objects.create(message=message, attachment=row, position=position)
