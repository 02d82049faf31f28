"""The recorder: the only writer of answers. Every change of a row is conditional, and fenced by the epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

import msgspec
import structlog
from django.db import DataError, IntegrityError, transaction
from django.db.models import Exists, Q, QuerySet
from django.utils import timezone
from msgspec.structs import replace

from chatsite.conversations.models import Message
from chatsite.conversations.search import index_messages
from chatsite.database import write, write_first
from chatsite.generations.key_budget import charge_keys
from chatsite.generations.models import Generation, Ownership, Status
from chatsite.quotas.actions import Spent, settle
from chatsite.quotas.pricing import charge
from inference.dispatch.store import Answer, Claim, Outcome
from inference.stream_log.base import FencedError
from inference.worker.statements import write_checkpoints, write_claims

log = structlog.get_logger(__name__)

UNSTORABLE = (DataError, IntegrityError, ValueError, OverflowError)
"""How a database or its driver says that it will never take these values; whatever else fails may pass."""

NOT_STORED = "The answer could not be stored. What was written before is kept; please retry."


class Recorder:
    """The dispatcher's store, on the rows. Times are the database's clock; one transaction per call.

    `model` names the model that answers now, for the ledger.
    """

    def __init__(self, epoch: int, model: Callable[[], str] = lambda: "") -> None:
        self.epoch = epoch
        self._model = model

    async def claim(self, claims: Sequence[Claim]) -> set[str]:
        """queued → running; returns the generations that were really claimed. Only those may run."""
        return await write_first(self._claim, claims)

    async def checkpoint(self, answers: Sequence[Answer]) -> None:
        """Record how far running answers have come; also their heartbeat."""
        try:
            await write(self._checkpoint, answers)
        except UNSTORABLE as error:
            if len(answers) > 1:
                for answer in answers:
                    await self.checkpoint([answer])
            else:
                _log_unstorable("checkpoint_unstorable", answers, error)

    async def finish(self, outcomes: Sequence[Outcome]) -> dict[str, Outcome]:
        """Write ends: text, status, usage, settlement. Returns the ends that the rows hold now.

        One that the database does not take keeps no other from being written: it ends as failed, with the
        text of its last checkpoint.
        """
        try:
            written = await write(self._finish, outcomes)
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
            replace(outcome, status="failed", finish_reason="error", message=NOT_STORED)
            for outcome in outcomes
        ]
        try:
            written = await write(self._finish, failed, with_text=False)
        except UNSTORABLE as error:  # it ends nowhere: the reaper finds its row
            _log_unstorable("failure_unstorable", outcomes, error)
            return {}
        return {outcome.generation: outcome for outcome in failed if outcome.generation in written}

    # --- in a thread ----------------------------------------------------------------------------

    @transaction.atomic
    def _claim(self, claims: Sequence[Claim]) -> set[str]:
        self._check_fence()
        return write_claims(claims, self.epoch, timezone.now())

    @transaction.atomic
    def _checkpoint(self, answers: Sequence[Answer]) -> None:
        self._check_fence()
        write_checkpoints(answers, self.epoch, timezone.now())

    @transaction.atomic
    def _finish(self, outcomes: Sequence[Outcome], *, with_text: bool = True) -> set[str]:
        self._check_fence()
        now = timezone.now()
        written, ended, spent = set(), [], []
        for outcome in outcomes:
            changed = self._endable(outcome).update(
                status=outcome.status,
                seq=outcome.seq,
                finish_reason=outcome.finish_reason,
                message=outcome.message,
                completion_tokens=outcome.usage.completion_tokens,
                usage=msgspec.to_builtins(outcome.usage),
                epoch=self.epoch,
                heartbeat_at=now,
                finished_at=now,
            )
            if changed:
                if with_text:
                    _write_text(outcome)
                ended.append(outcome.generation)
                index_messages(_answer_of(outcome))
            if changed or self._ended_before(outcome):
                written.add(outcome.generation)
            if changed or not Generation.objects.filter(id=outcome.generation).exists():
                spent.append(_spent(outcome))  # a chat deleted meanwhile is paid for all the same
        settle(spent, self._model())
        charge_keys(ended)
        return written

    def _check_fence(self) -> None:
        if not Ownership.objects.filter(epoch=self.epoch).exists():
            raise FencedError(f"Epoch {self.epoch} is over: another inference process owns the queue.")

    def _endable(self, outcome: Outcome) -> QuerySet[Generation]:
        """This attempt, running under this epoch; or one that ends while it still waits."""
        running = Q(status=Status.RUNNING, epoch=self.epoch, attempt__lte=outcome.attempt)
        return self._fenced(outcome.generation).filter(running | Q(status=Status.QUEUED))

    def _ended_before(self, outcome: Outcome) -> bool:
        """A former call of this owner wrote this very end, and its reply was lost."""
        ended = self._fenced(outcome.generation).filter(status=outcome.status, epoch=self.epoch)
        return ended.filter(seq=outcome.seq).exists()

    def _fenced(self, generation: str) -> QuerySet[Generation]:
        """The row, while this epoch is the youngest: the check is inside the UPDATE itself."""
        return Generation.objects.filter(Exists(Ownership.objects.filter(epoch=self.epoch)), id=generation)


def _log_unstorable(event: str, rows: Sequence[Answer | Outcome], error: Exception) -> None:
    """Without the error's words: a database quotes the values that it refuses, which are people's text."""
    generations = [row.generation for row in rows]
    sqlstate = getattr(error.__cause__, "sqlstate", None)
    log.error(event, generations=generations, error=type(error).__name__, sqlstate=sqlstate)


def _spent(outcome: Outcome) -> Spent:
    usage = outcome.usage
    if not charge(outcome.status, usage.prompt_tokens, usage.completion_tokens):
        return Spent(UUID(outcome.generation), 0, 0)
    return Spent(UUID(outcome.generation), usage.prompt_tokens, usage.completion_tokens)


def _answer_of(outcome: Outcome) -> QuerySet[Message]:
    return Message.objects.filter(generation__id=outcome.generation).select_related("conversation")


def _write_text(answer: Outcome) -> None:
    Message.objects.filter(generation__id=answer.generation).update(
        content=answer.text, reasoning=answer.reasoning
    )
