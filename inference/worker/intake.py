"""Intake: queued rows become requests. The rows are the truth about the queue; this only reads them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol
from uuid import UUID

import msgspec
import structlog
from django.db import connection
from django.utils import timezone

from chatsite.attachments.branch import read_full_branches
from chatsite.conversations.branch import Branch
from chatsite.conversations.models import Message
from chatsite.database import read
from chatsite.generations.cancel import pending_stops
from chatsite.generations.models import Generation, GenerationStatus
from chatsite.quotas.plans import EffectiveLimits, limits_of_each
from chatsite.sql_values import marks, moment_key, moment_of, uuid_key, uuid_of
from inference.request import ChatMessage, Request, Sampling
from inference.scheduling.scheduler import QueueFullError
from inference.worker.cache_salt import cache_salts

log = structlog.get_logger(__name__)

BATCH_ROWS = 500
"""Rows of one query: their prompts are in memory together. More than may wait at the site's defaults."""

Cursor = tuple[datetime, UUID]
"""A row's position among the queued ones, the oldest first."""


class RequestIntake(Protocol):
    """The dispatcher's lifecycle of requests, as intake sees it."""

    @property
    def known(self) -> Collection[str]: ...

    def enqueue(self, request: Request) -> None: ...

    def cancel(self, generation: str) -> bool: ...

    def reject(self, request: Request, *, unreadable: bool = False) -> None: ...


class Changes(NamedTuple):
    """What one read of the rows found: requests; rows that make none, as requests without a prompt; and
    generations to cancel. `next` is set where more rows follow."""

    requests: list[Request]
    unreadable: list[Request]
    cancelled: set[str]
    next: Cursor | None


class Intake:
    """Polls the rows: at each wakeup, and every few seconds without one."""

    def __init__(self, queue: RequestIntake, spare: Callable[[], bool] = lambda: True) -> None:
        """`spare`: whether the engine has time for what nobody waits for."""
        self._queue = queue
        self._spare = spare

    async def poll(self) -> None:
        """Enqueue new rows and cancel what shall stop. Safe to call at any time, any number of times."""
        known = frozenset(self._queue.known)
        after: Cursor | None = None
        while True:
            # `spare` reads the dispatcher, which belongs to the loop: called here, not in a thread.
            changes = await read(read_changes, known, self._spare(), after)
            for request in changes.requests:
                self._enqueue(request, cancelled=request.generation in changes.cancelled)
            for request in changes.unreadable:
                self._queue.reject(request, unreadable=True)
            # Last: a question may be cancelled in the same poll that finds it.
            for generation in changes.cancelled:
                self._queue.cancel(generation)
            after = changes.next
            if after is None:
                return

    def _enqueue(self, request: Request, *, cancelled: bool) -> None:
        if request.generation in self._queue.known:
            return
        try:
            self._queue.enqueue(request)
        except QueueFullError:  # its row waits outside, and is read again
            if cancelled:
                self._queue.reject(request)
        except Exception:  # nor does what is wrong with this one keep others from the queue
            log.exception("request_not_enqueued", generation=request.generation)


_QUEUED = f"""
SELECT job.id, job.user_id, job.conversation_id, answer.parent_id, job.attempt, job.sampling,
    job.prompt_tokens, job.max_tokens, job.new_chars, job.batch, job.first_message, job.created_at
FROM {Generation._meta.db_table} job JOIN {Message._meta.db_table} answer ON answer.id = job.answer_id
WHERE job.status = '{GenerationStatus.QUEUED}' {{conditions}}
ORDER BY job.created_at, job.id LIMIT {BATCH_ROWS}
"""  # noqa: S608 - the names are the models' own  # nosec


class QueuedRow(NamedTuple):
    """What a request is made of."""

    id: UUID
    user: int
    conversation: UUID
    question: UUID
    attempt: int
    sampling: str
    prompt_tokens: int
    max_tokens: int
    new_chars: int
    batch: bool
    first_message: UUID | None
    created_at: datetime


def read_changes(known: Collection[str], spare: bool, after: Cursor | None = None) -> Changes:
    """The next `BATCH_ROWS` queued rows behind `after` that are not known, as requests.

    In batches, since what the queue has no room for must not hide what is behind it. Without `spare` time
    titles are left out.
    """
    waiting = _queued_rows(known, spare, after)
    next = (waiting[-1].created_at, waiting[-1].id) if len(waiting) == BATCH_ROWS else None
    return Changes(*_requests(waiting), set(map(str, pending_stops(timezone.now()))), next)


def _queued_rows(known: Collection[str], spare: bool, after: Cursor | None) -> list[QueuedRow]:
    conditions, values = [] if spare else ["AND titles_id IS NULL"], list[Any]()
    if after is not None:
        at, id = moment_key(after[0]), uuid_key(after[1])
        conditions.append("AND (job.created_at > %s OR job.created_at = %s AND job.id > %s)")
        values += [at, at, id]
    if known:
        conditions.append(f"AND job.id NOT IN ({marks(known)})")
        values += [uuid_key(UUID(id)) for id in known]
    with connection.cursor() as cursor:
        cursor.execute(_QUEUED.format(conditions=" ".join(conditions)), values)
        return [_queued_row(*row) for row in cursor]


def _queued_row(
    id: Any, user: int, conversation: Any, question: Any, attempt: int, sampling: str, prompt_tokens: int,
    max_tokens: int, new_chars: int, batch: Any, first: Any, created_at: datetime,
) -> QueuedRow:  # fmt: skip
    return QueuedRow(
        uuid_of(id), user, uuid_of(conversation), uuid_of(question), attempt, sampling, prompt_tokens,
        max_tokens, new_chars, bool(batch), None if first is None else uuid_of(first), moment_of(created_at),
    )  # fmt: skip


def _requests(waiting: Sequence[QueuedRow]) -> tuple[list[Request], list[Request]]:
    """Requests, and the rows that make none."""
    if not waiting:
        return [], []
    branches = read_full_branches([row.question for row in waiting])
    people = {row.user for row in waiting}
    limits, salts = limits_of_each(people), cache_salts(people)
    requests, unreadable = [], []
    for row in waiting:
        try:
            requests.append(_request(row, branches, limits[row.user], salts[row.user]))
        except Exception:  # whatever is wrong with this row keeps no other one from the queue
            log.exception("row_unreadable", generation=str(row.id))
            unreadable.append(_request_of(row, (), Sampling(), EffectiveLimits(), ""))
    return requests, unreadable


def _request(
    row: QueuedRow, branches: dict[UUID, Branch], limits: EffectiveLimits, cache_salt: str
) -> Request:
    messages = branches[row.question].messages(row.first_message)
    return _request_of(row, messages, msgspec.json.decode(row.sampling, type=Sampling), limits, cache_salt)


def _request_of(
    row: QueuedRow,
    messages: tuple[ChatMessage, ...],
    sampling: Sampling,
    limits: EffectiveLimits,
    cache_salt: str,
) -> Request:
    return Request(
        generation=str(row.id),
        attempt=row.attempt + 1,
        user=str(row.user),
        conversation=str(row.conversation),
        messages=messages,
        sampling=sampling,
        prompt_tokens=row.prompt_tokens,
        max_tokens=row.max_tokens,
        new_chars=row.new_chars,
        batch=row.batch,
        weight=limits.weight,
        max_running=limits.max_running,
        waited_s=max(0.0, (timezone.now() - row.created_at).total_seconds()),
        cache_salt=cache_salt,
    )
