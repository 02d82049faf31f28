"""The recorder's frequent statements, spelled out: claims, and checkpoints of every running answer.

Built by the ORM anew each time, a checkpoint's two statements took two thirds of the writing thread's time at
a hundred streams. SQLite and PostgreSQL both know them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from chatsite.conversations.models import Message
from chatsite.generations.models import Generation, Ownership, Status
from inference.dispatch.store import Answer, Claim

_CLAIM = f"""
UPDATE {Generation._meta.db_table}
SET status = '{Status.RUNNING}', attempt = %s, epoch = %s, claimed_at = %s, heartbeat_at = %s
WHERE id = %s AND EXISTS (SELECT 1 FROM {Ownership._meta.db_table} WHERE epoch = %s)
    AND (status = '{Status.QUEUED}' AND attempt = %s
        OR status = '{Status.RUNNING}' AND attempt = %s AND epoch = %s)
"""  # noqa: S608 - the names are the models' own  # nosec

_ADVANCE = f"""
UPDATE {Generation._meta.db_table} SET seq = %s, completion_tokens = %s, heartbeat_at = %s
WHERE id = %s AND status = '{Status.RUNNING}' AND attempt = %s AND epoch = %s
    AND EXISTS (SELECT 1 FROM {Ownership._meta.db_table} WHERE epoch = %s)
RETURNING answer_id
"""  # noqa: S608 - the names are the models' own  # nosec

_WRITE = f"UPDATE {Message._meta.db_table} SET content = %s, reasoning = %s WHERE id = %s"  # noqa: S608  # nosec


def write_claims(claims: Iterable[Claim], epoch: int, now: datetime) -> set[str]:
    """queued → running; the generations that are running because of this owner now.

    That includes rows claimed by a former call whose reply was lost.
    """
    at = connection.ops.adapt_datetimefield_value(now)
    granted = set()
    with connection.cursor() as cursor:
        for claim in claims:
            attempt = claim.attempt
            cursor.execute(
                _CLAIM,
                [attempt, epoch, at, at, _key(claim.generation), epoch, attempt - 1, attempt, epoch],
            )
            if cursor.rowcount:
                granted.add(claim.generation)
    return granted


def write_checkpoints(answers: Iterable[Answer], epoch: int, now: datetime) -> None:
    """Text and seq of each answer that runs under this epoch, which must still be the youngest."""
    at = connection.ops.adapt_datetimefield_value(now)
    with connection.cursor() as cursor:
        for answer in answers:
            id = _key(answer.generation)
            cursor.execute(
                _ADVANCE, [answer.seq, answer.completion_tokens, at, id, answer.attempt, epoch, epoch]
            )
            if row := cursor.fetchone():
                cursor.execute(_WRITE, [answer.text, answer.reasoning, row[0]])


def _key(generation: str) -> Any:
    return Generation._meta.pk.get_db_prep_value(UUID(generation), connection)
