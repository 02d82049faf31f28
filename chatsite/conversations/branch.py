"""Branches: the path from the root of a conversation to one message, as a prompt needs it."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db import connection

from inference.request import ChatMessage

_PATHS = """
WITH RECURSIVE path(leaf, id, parent_id, conversation_id, role, content, depth) AS (
    SELECT id, id, parent_id, conversation_id, role, content, 0 FROM conversations_message WHERE id IN ({ids})
    UNION ALL
    SELECT path.leaf, m.id, m.parent_id, m.conversation_id, m.role, m.content, path.depth + 1
    FROM conversations_message m JOIN path ON m.id = path.parent_id
)
SELECT leaf, role, content, CASE WHEN parent_id IS NULL THEN
    (SELECT system FROM conversations_conversation c WHERE c.id = conversation_id) END
FROM path ORDER BY leaf, depth DESC
"""


def read_branches(leaves: Sequence[UUID]) -> dict[UUID, tuple[ChatMessage, ...]]:
    """For each message, the turns from the system prompt and the root down to it: one query for all."""
    if not leaves:
        return {}
    marks = ", ".join(["%s"] * len(leaves))
    native = connection.features.has_native_uuid_field
    params = [leaf if native else leaf.hex for leaf in leaves]
    branches: dict[UUID, list[ChatMessage]] = {leaf: [] for leaf in leaves}
    with connection.cursor() as cursor:
        cursor.execute(_PATHS.format(ids=marks), params)
        for leaf, role, content, system in cursor:
            key = leaf if isinstance(leaf, UUID) else UUID(leaf)
            if system:
                branches[key].append(ChatMessage("system", system))
            branches[key].append(ChatMessage(role, content))
    return {leaf: tuple(turns) for leaf, turns in branches.items()}
