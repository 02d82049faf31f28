"""Branches with their documents: what an engine is given."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from django.db import connection

from chatsite.attachments.models import Attached, Attachment
from chatsite.attachments.prompt import Excerpt, with_documents
from chatsite.conversations.branch import Branch, Turn, read_branches
from chatsite.conversations.models import Message
from chatsite.sql_values import marks, uuid_key, uuid_of

_USES = f"""
SELECT message_id, attachment_id, chars FROM {Attached._meta.db_table} used
JOIN {Message._meta.db_table} told ON told.id = used.message_id WHERE told.conversation_id IN
    (SELECT conversation_id FROM {Message._meta.db_table} WHERE id IN ({{leaves}})) ORDER BY position
"""  # noqa: S608 - the names are the models' own  # nosec


def read_full_branches(leaves: Sequence[UUID]) -> dict[UUID, Branch]:
    """For each message, the branch that ends in it, every turn with the texts of its documents."""
    branches = read_branches(leaves)
    asked = {turn.id for branch in branches.values() for turn in branch.turns if turn.role == "user"}
    documents = _documents(leaves, asked) if leaves else {}
    if not documents:
        return branches
    return {
        leaf: replace(branch, turns=tuple(_filled(turn, documents) for turn in branch.turns))
        for leaf, branch in branches.items()
    }


def excerpt_of(name: str, text: str, chars: int | None) -> Excerpt:
    """A document as its message wants it: whole, or so many characters from its beginning."""
    if chars is None or chars >= len(text):
        return Excerpt(name, text)
    return Excerpt(name, text[:chars], len(text))


def _documents(leaves: Sequence[UUID], asked: set[UUID]) -> dict[UUID, list[Excerpt]]:
    """By message. Texts are megabytes: only those that a branch holds are read, and each once."""
    with connection.cursor() as cursor:
        cursor.execute(_USES.format(leaves=marks(leaves)), list(map(uuid_key, leaves)))
        rows = [(uuid_of(message), uuid_of(attachment), chars) for message, attachment, chars in cursor]
    uses = [use for use in rows if use[0] in asked]
    if not uses:
        return {}
    ids = {attachment for _, attachment, _ in uses}
    texts = {
        id: (name, text)
        for id, name, text in Attachment.objects.filter(id__in=ids).values_list("id", "name", "text")
    }
    found: dict[UUID, list[Excerpt]] = defaultdict(list)
    for message, attachment, chars in uses:
        found[message].append(excerpt_of(*texts[attachment], chars))
    return found


def _filled(turn: Turn, documents: dict[UUID, list[Excerpt]]) -> Turn:
    own = documents.get(turn.id)
    return replace(turn, content=with_documents(turn.content, own)) if own else turn
