"""Branches: the path from the root of a conversation to one message, as a prompt needs it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import dropwhile
from uuid import UUID

from django.db import connection

from chatsite.sql_values import marks, uuid_key, uuid_of
from inference.request import ChatMessage, Role

_PATHS = """
WITH RECURSIVE path(leaf, id, parent_id, conversation_id, role, content, depth) AS (
    SELECT id, id, parent_id, conversation_id, role, content, 0 FROM conversations_message WHERE id IN ({ids})
    UNION ALL
    SELECT path.leaf, m.id, m.parent_id, m.conversation_id, m.role, m.content, path.depth + 1
    FROM conversations_message m JOIN path ON m.id = path.parent_id
)
SELECT leaf, id, role, content, CASE WHEN parent_id IS NULL THEN
    (SELECT system FROM conversations_conversation c WHERE c.id = conversation_id) END
FROM path ORDER BY leaf, depth DESC
"""


@dataclass(frozen=True)
class Turn:
    """One message of a branch."""

    id: UUID
    role: Role
    content: str


@dataclass(frozen=True)
class Branch:
    """What a conversation is told first, and its turns from the root on."""

    system: str = ""
    turns: tuple[Turn, ...] = ()

    def then(self, turn: Turn) -> Branch:
        """The branch with one more turn at its end."""
        return replace(self, turns=(*self.turns, turn))

    def messages(self, first: UUID | None = None) -> tuple[ChatMessage, ...]:
        """The prompt: what is told first, then the turns, from `first` on if it is given."""
        opening = [ChatMessage("system", self.system)] if self.system else []
        return (*opening, *(ChatMessage(turn.role, turn.content) for turn in self._from(first)))

    def _from(self, first: UUID | None) -> Iterator[Turn]:
        if first is None:
            yield from self.turns
            return
        yield from (turn for turn in self.turns if turn.role == "system")
        seen = dropwhile(lambda turn: turn.id != first, self.turns)
        yield from (turn for turn in seen if turn.role != "system")


def read_branches(leaves: Sequence[UUID]) -> dict[UUID, Branch]:
    """For each message, the branch that ends in it, without documents: one query for all."""
    if not leaves:
        return {}
    keys = {uuid_key(leaf): leaf for leaf in leaves}
    branches = dict.fromkeys(leaves, Branch())
    turns: dict[UUID, list[Turn]] = {leaf: [] for leaf in leaves}
    with connection.cursor() as cursor:
        cursor.execute(_PATHS.format(ids=marks(keys)), list(keys))
        for leaf, id, role, content, system in cursor:
            key = keys[leaf]
            turns[key].append(Turn(uuid_of(id), role, content))
            if system:
                branches[key] = Branch(system)
    return {leaf: replace(branch, turns=tuple(turns[leaf])) for leaf, branch in branches.items()}
