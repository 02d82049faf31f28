"""The recorder: the only writer of answers. Every change of a row is conditional, and fenced by the epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

import msgspec
from django.db import transaction
from django.db.models import Exists, Q, QuerySet
from django.utils import timezone

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
        await write(self._checkpoint, answers)

    async def finish(self, outcomes: Sequence[Outcome]) -> set[str]:
        """Write ends: text, status, usage, settlement. Returns the generations that hold this end now."""
        return await write(self._finish, outcomes)

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
    def _finish(self, outcomes: Sequence[Outcome]) -> set[str]:
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
