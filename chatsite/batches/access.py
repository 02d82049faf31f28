"""Who may see which batch: its owner, while its conversation is there. A stranger's id is not_found."""

from __future__ import annotations

from uuid import UUID

from django.utils.translation import gettext as _

from chatsite.batches.models import Batch
from chatsite.conversations.access import access_conversation
from chatsite.conversations.models import Message
from chatsite.errors import Refusal


def access_batch(user_id: int, conversation: UUID) -> Batch:
    """The batch with its conversation. Raises Refusal `not_found`."""
    home = access_conversation(user_id, conversation)
    found = Batch.objects.filter(conversation=home).first()
    if found is None:
        raise Refusal("not_found", "There is no such batch.")
    found.conversation = home
    return found


def check_deletable(message: Message) -> None:
    """A batch keeps a question and an answer for each of its rows. Raises Refusal `busy`."""
    is_row = message.parent is None or message.parent.parent_id is None
    if is_row and Batch.objects.filter(conversation=message.conversation_id).exists():
        raise Refusal(
            "busy", _("A row of a batch stays with it. Delete the batch, or what follows in the row.")
        )
