"""One checkpoint in two statements, spelled out: it is written for every running answer every second.

Built by the ORM anew each time, these statements took two thirds of the writing thread's time at a hundred
streams. SQLite and PostgreSQL both know them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db import connection

from chatsite.conversations.models import Message
from chatsite.generations.models import Generation, Ownership, Status
from inference.dispatch.store import Answer

_ADVANCE = f"""
UPDATE {Generation._meta.db_table} SET seq = %s, completion_tokens = %s, heartbeat_at = %s
WHERE id = %s AND status = '{Status.RUNNING}' AND attempt = %s AND epoch = %s
    AND EXISTS (SELECT 1 FROM {Ownership._meta.db_table} WHERE epoch = %s)
RETURNING answer_id
"""  # noqa: S608 - the names are the models' own  # nosec

_WRITE = f"UPDATE {Message._meta.db_table} SET content = %s, reasoning = %s WHERE id = %s"  # noqa: S608  # nosec


def write_checkpoints(answers: Iterable[Answer], epoch: int, now: datetime) -> None:
    """Text and seq of each answer that runs under this epoch, which must still be the youngest."""
    at = connection.ops.adapt_datetimefield_value(now)
    key = Generation._meta.pk.get_db_prep_value
    with connection.cursor() as cursor:
        for answer in answers:
            id = key(UUID(answer.generation), connection)
            cursor.execute(
                _ADVANCE, [answer.seq, answer.completion_tokens, at, id, answer.attempt, epoch, epoch]
            )
            if row := cursor.fetchone():
                cursor.execute(_WRITE, [answer.text, answer.reasoning, row[0]])
