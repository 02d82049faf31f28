"""The recorder: the only writer of answers. Every change of a row is conditional, and fenced by the epoch.

Locks are taken in one order: generations by id, each with its message; then balances, grants and usage
(chatsite/quotas/actions.py), then keys by id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import structlog
from django.db import DataError, IntegrityError, connection, transaction
from django.db.models import Exists
from django.utils import timezone
from msgspec.structs import replace

from chatsite.conversations.models import Conversation, Message
from chatsite.conversations.search import index_messages
from chatsite.database import write, write_first
from chatsite.generations.key_budget import charge_keys
from chatsite.generations.models import Generation, GenerationStatus, Ownership
from chatsite.quotas.ledger import Spent, settle
from chatsite.quotas.pricing import charge
from chatsite.sql_values import moment_key, uuid_key
from inference.dispatch.store import Answer, Claim, Outcome
from inference.stream_log.base import FencedError

log = structlog.get_logger(__name__)

UNSTORABLE = (DataError, IntegrityError, ValueError, OverflowError)
"""What a database or its driver raises for values that it can never store; any other error may pass."""

# The frequent statements, spelled out: built by the ORM anew each time, a checkpoint's two took two thirds of
# the writing thread's time at a hundred streams. SQLite and PostgreSQL both know them.

_CLAIM = f"""
UPDATE {Generation._meta.db_table}
SET status = '{GenerationStatus.RUNNING}', attempt = %s, epoch = %s, claimed_at = %s, heartbeat_at = %s
WHERE id = %s AND EXISTS (SELECT 1 FROM {Ownership._meta.db_table} WHERE epoch = %s)
    AND (status = '{GenerationStatus.QUEUED}' AND attempt = %s
        OR status = '{GenerationStatus.RUNNING}' AND attempt = %s AND epoch = %s)
"""  # noqa: S608 - the names are the models' own  # nosec

_ADVANCE = f"""
UPDATE {Generation._meta.db_table} SET seq = %s, completion_tokens = %s, heartbeat_at = %s
WHERE id = %s AND status = '{GenerationStatus.RUNNING}' AND attempt = %s AND epoch = %s
    AND EXISTS (SELECT 1 FROM {Ownership._meta.db_table} WHERE epoch = %s)
RETURNING answer_id
"""  # noqa: S608 - the names are the models' own  # nosec

_END = f"""
UPDATE {Generation._meta.db_table}
SET status = %s, seq = %s, finish_reason = %s, message = %s, fault = %s, completion_tokens = %s, usage = %s,
    epoch = %s, heartbeat_at = %s, finished_at = %s
WHERE id = %s AND EXISTS (SELECT 1 FROM {Ownership._meta.db_table} WHERE epoch = %s)
    AND (status = '{GenerationStatus.QUEUED}'
        OR status = '{GenerationStatus.RUNNING}' AND attempt <= %s AND epoch = %s)
RETURNING answer_id, api_key_id, conversation_id, (SELECT owner_id FROM {Conversation._meta.db_table} home
    WHERE home.id = conversation_id AND NOT temporary)
"""  # noqa: S608 - the names are the models' own  # nosec

_WRITE = f"UPDATE {Message._meta.db_table} SET content = %s, reasoning = %s WHERE id = %s"  # noqa: S608  # nosec

NOT_STORED = "The answer could not be stored. What was written before is kept; please retry."


class Recorder:
    """The dispatcher's store, on the database. One transaction per call.

    `model` names the model that answers now, for the ledger.
    """

    def __init__(self, epoch: int, model: Callable[[], str] = lambda: "") -> None:
        self.epoch = epoch
        self._model = model

    async def claim(self, claims: Sequence[Claim]) -> set[str]:
        """queued → running; returns the generations that were really claimed. Only those may run."""
        return await write_first(self.do_claim, claims)

    async def checkpoint(self, answers: Sequence[Answer]) -> None:
        """Record how far running answers have come; also their heartbeat."""
        try:
            await write(self.do_checkpoint, answers)
        except UNSTORABLE as error:
            if len(answers) > 1:
                for answer in answers:
                    await self.checkpoint([answer])
            else:
                _log_unstorable("checkpoint_unstorable", answers, error)

    async def finish(self, outcomes: Sequence[Outcome]) -> dict[str, Outcome]:
        """Write outcomes: text, status, usage, settlement. Returns the outcomes that the rows hold now.

        One that the database cannot store keeps no other from being written: it ends as failed, with the
        text of its last checkpoint.
        """
        try:
            written = await write(self.do_finish, outcomes)
        except UNSTORABLE as error:
            if len(outcomes) > 1:
                alone = [await self.finish([outcome]) for outcome in outcomes]
                return {id: outcome for ended in alone for id, outcome in ended.items()}
            _log_unstorable("end_unstorable", outcomes, error)
            return await self._fail(outcomes)
        return {outcome.generation: outcome for outcome in outcomes if outcome.generation in written}

    async def _fail(self, outcomes: Sequence[Outcome]) -> dict[str, Outcome]:
        """End these without what could not be stored."""
        failed = [
            replace(outcome, status="failed", finish_reason="error", message=NOT_STORED, fault="server")
            for outcome in outcomes
        ]
        try:
            written = await write(self.do_finish, failed, with_text=False)
        except UNSTORABLE as error:  # the reaper finds its row
            _log_unstorable("failure_unstorable", outcomes, error)
            return {}
        return {outcome.generation: outcome for outcome in failed if outcome.generation in written}

    @transaction.atomic
    def do_claim(self, claims: Sequence[Claim]) -> set[str]:
        """`claim`, in a thread. Raises FencedError, like the other two."""
        granted = _write_claims(sorted(claims, key=_by_id), self.epoch, timezone.now())
        if len(granted) < len(claims):
            self._check_fence()
        return granted

    @transaction.atomic
    def do_checkpoint(self, answers: Sequence[Answer]) -> None:
        """`checkpoint`, in a thread, all or nothing."""
        if _write_checkpoints(sorted(answers, key=_by_id), self.epoch, timezone.now()) < len(answers):
            self._check_fence()

    @transaction.atomic
    def do_finish(self, outcomes: Sequence[Outcome], *, with_text: bool = True) -> set[str]:
        """`finish`, in a thread, all or nothing; returns the generations whose rows hold their outcome."""
        ended = _write_ends(sorted(outcomes, key=_by_id), self.epoch, timezone.now(), with_text=with_text)
        if len(ended) < len(outcomes):
            self._check_fence()
        written = {id for id in (outcome.generation for outcome in outcomes) if id in ended}
        spent = [_spent(end.outcome) for end in ended.values()]
        for outcome in outcomes:
            if outcome.generation in ended:
                continue
            if self._ended_before(outcome):
                written.add(outcome.generation)
            if not Generation.objects.filter(id=outcome.generation).exists():
                spent.append(_spent(outcome))  # a chat deleted meanwhile is paid for all the same
        settle(spent, self._model())
        charge_keys((end.api_key, _spent(end.outcome).tokens) for end in ended.values() if end.api_key)
        return written

    def _check_fence(self) -> None:
        """Whether it was the fence that a statement met which changed nothing. Each has it inside itself."""
        if not Ownership.objects.filter(epoch=self.epoch).exists():
            raise FencedError(f"Epoch {self.epoch} is over: another inference process owns the queue.")

    def _ended_before(self, outcome: Outcome) -> bool:
        """A former call of this owner wrote this very end, and its reply was lost."""
        return Generation.objects.filter(
            Exists(Ownership.objects.filter(epoch=self.epoch)),
            id=outcome.generation,
            status=outcome.status,
            epoch=self.epoch,
            seq=outcome.seq,
        ).exists()


class _End(NamedTuple):
    """A row that this call has ended, keys as the database gives them. `owner`: of its conversation, None for
    a temporary one."""

    outcome: Outcome
    answer: Any
    api_key: Any
    conversation: Any
    owner: int | None


def _by_id(row: Claim | Answer | Outcome) -> str:
    return row.generation


def _write_claims(claims: Iterable[Claim], epoch: int, now: datetime) -> set[str]:
    """queued → running; the generations that are running because of this owner now.

    That includes rows claimed by a former call whose reply was lost.
    """
    at = moment_key(now)
    granted = set()
    with connection.cursor() as cursor:
        for claim in claims:
            attempt = claim.attempt
            cursor.execute(
                _CLAIM,
                [
                    attempt,
                    epoch,
                    at,
                    at,
                    uuid_key(UUID(claim.generation)),
                    epoch,
                    attempt - 1,
                    attempt,
                    epoch,
                ],
            )
            if cursor.rowcount:
                granted.add(claim.generation)
    return granted


def _write_checkpoints(answers: Iterable[Answer], epoch: int, now: datetime) -> int:
    """Text and seq of each answer that runs under this epoch, which must still be the youngest; how many."""
    written = 0
    at = moment_key(now)
    with connection.cursor() as cursor:
        for answer in answers:
            id = uuid_key(UUID(answer.generation))
            cursor.execute(
                _ADVANCE, [answer.seq, answer.completion_tokens, at, id, answer.attempt, epoch, epoch]
            )
            if row := cursor.fetchone():
                cursor.execute(_WRITE, [answer.text, answer.reasoning, row[0]])
                written += 1
    return written


def _write_ends(
    outcomes: Iterable[Outcome], epoch: int, now: datetime, *, with_text: bool
) -> dict[str, _End]:
    """Status, text and search entries of what runs under this epoch, or still waits; by generation."""
    at = moment_key(now)
    usage_field = Generation._meta.get_field("usage")
    ended = {}
    with connection.cursor() as cursor:
        for outcome in outcomes:
            usage = usage_field.get_db_prep_save(msgspec.to_builtins(outcome.usage), connection)
            cursor.execute(
                _END,
                [outcome.status, outcome.seq, outcome.finish_reason, outcome.message, outcome.fault or "",
                 outcome.usage.completion_tokens, usage, epoch, at, at,
                 uuid_key(UUID(outcome.generation)), epoch, outcome.attempt, epoch],
            )  # fmt: skip
            if (row := cursor.fetchone()) is None:
                continue
            end = ended[outcome.generation] = _End(outcome, *row)
            if with_text:
                cursor.execute(_WRITE, [outcome.text, outcome.reasoning, end.answer])
    _index([end for end in ended.values() if end.owner is not None], with_text=with_text)
    return ended


def _index(ends: Sequence[_End], *, with_text: bool) -> None:
    """Make the answers found: as they were just written, or, without their text, as they were before."""
    if not with_text:
        answers = Message.objects.filter(id__in=[end.answer for end in ends])
        index_messages(answers.select_related("conversation"))
        return
    index_messages(
        Message(
            id=end.answer,
            conversation=Conversation(id=end.conversation, owner_id=end.owner or 0),
            content=end.outcome.text,
        )
        for end in ends
    )


def _log_unstorable(event: str, rows: Sequence[Answer | Outcome], error: Exception) -> None:
    """Without the error's message: a database quotes the values that it refuses, which are people's text."""
    generations = [row.generation for row in rows]
    sqlstate = getattr(error.__cause__, "sqlstate", None)
    log.error(event, generations=generations, error=type(error).__name__, sqlstate=sqlstate)


def _spent(outcome: Outcome) -> Spent:
    usage = outcome.usage
    if not charge(outcome.status, usage.prompt_tokens, usage.completion_tokens):
        return Spent(UUID(outcome.generation), 0, 0)
    return Spent(UUID(outcome.generation), usage.prompt_tokens, usage.completion_tokens)
