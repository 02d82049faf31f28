"""What is erased by and by, in one list: the inference process calls each of them until it has nothing to do.

Each is one short transaction or a few, and returns how much went. They lie here because the inference tier
knows no leaf of this one.
"""

from __future__ import annotations

from collections.abc import Callable

from chatsite.accounts.expired_sessions import erase_expired_sessions
from chatsite.archive.erasure import continue_erasures
from chatsite.archive.jobs import sweep_jobs
from chatsite.archive.retention import erase_due
from chatsite.attachments.erase import erase_conversations, erase_messages
from chatsite.conversations.actions import due_for_erasure
from chatsite.conversations.messages import messages_due_for_erasure
from chatsite.generations.erase import erase_temporary


def erase_deleted() -> int:
    """Deletions that can no longer be undone, and temporary chats that nobody came back to."""
    return erase_conversations(due_for_erasure()) + erase_messages(messages_due_for_erasure())


SWEEPS: tuple[Callable[[], int], ...] = (
    erase_deleted,
    erase_temporary,
    erase_due,
    continue_erasures,
    sweep_jobs,
    erase_expired_sessions,
)
