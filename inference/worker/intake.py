"""Intake: rows that wait become requests. The rows are the queue's truth; this only carries them over."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID

import msgspec
import structlog
from django.db.models import Q
from django.utils import timezone

from chatsite.attachments.branch import read_full_branches
from chatsite.conversations.branch import Branch
from chatsite.database import read
from chatsite.generations.models import ACTIVE, Generation, Status
from chatsite.quotas.resolution import Terms
from chatsite.quotas.terms import terms_of_each
from inference.request import ChatMessage, Request, Sampling
from inference.scheduling.errors import QueueFullError

log = structlog.get_logger(__name__)

AT_ONCE = 500
"""Rows read in one go: their prompts are in memory together. More than may wait at the site's defaults."""

Place = tuple[datetime, UUID]
"""A row's place among those that wait: the oldest first."""


class Line(Protocol):
    """The dispatcher, as intake sees it."""

    @property
    def known(self) -> Collection[str]: ...

    def enqueue(self, request: Request) -> None: ...

    def cancel(self, generation: str) -> bool: ...

    def turn_away(self, request: Request, *, unreadable: bool = False) -> None: ...


class Changes(NamedTuple):
    """Rows that became requests, and those that can become none, without prompts; generations that shall
    stop. `last` is where more rows follow."""

    requests: list[Request]
    unreadable: list[Request]
    stops: set[str]
    last: Place | None


class Intake:
    """Looks at the rows when the doorbell rings, and every few seconds without it."""

    def __init__(self, line: Line, spare: Callable[[], bool] = lambda: True) -> None:
        """`spare`: whether the engine has time for what nobody waits for."""
        self._line = line
        self._spare = spare

    async def look(self) -> None:
        """Carry over new rows and wishes to cancel. Safe to call at any time, any number of times."""
        known = frozenset(self._line.known)
        last: Place | None = None
        while True:
            # `spare` looks at the dispatcher, which belongs to the loop: asked here, not in a thread.
            changes = await read(self._changes, known, self._spare(), last)
            for request in changes.requests:
                self._carry(request, stopped=request.generation in changes.stops)
            for request in changes.unreadable:
                self._line.turn_away(request, unreadable=True)
            # Last: a question may be stopped in the same look that finds it.
            for generation in changes.stops:
                self._line.cancel(generation)
            last = changes.last
            if last is None:
                return

    def _carry(self, request: Request, *, stopped: bool) -> None:
        if request.generation in self._line.known:
            return
        try:
            self._line.enqueue(request)
        except QueueFullError:  # its row waits outside, and is looked at again
            if stopped:
                self._line.turn_away(request)
        except Exception:  # nor does what is wrong with this one keep others from the line
            log.exception("row_not_taken", generation=request.generation)

    def _changes(self, known: frozenset[str], spare: bool, after: Place | None = None) -> Changes:
        """So many rows from `after` on: what the line has no room for must not hide what is behind it."""
        queued = Generation.objects.filter(status=Status.QUEUED)
        if not spare:
            queued = queued.filter(titles=None)
        if after is not None:
            at, id = after
            queued = queued.filter(Q(created_at__gt=at) | Q(created_at=at, id__gt=id))
        waiting = list(
            queued.exclude(id__in=[UUID(id) for id in known])
            .select_related("answer")
            .order_by("created_at", "id")[:AT_ONCE]
        )
        wishes = Generation.objects.filter(status__in=ACTIVE, cancel_requested=True)
        last = (waiting[-1].created_at, waiting[-1].id) if len(waiting) == AT_ONCE else None
        stops = set(map(str, wishes.values_list("id", flat=True)))
        return Changes(*self._requests(waiting), stops, last)

    def _requests(self, waiting: Sequence[Generation]) -> tuple[list[Request], list[Request]]:
        branches = read_full_branches([job.answer.parent_id for job in waiting if job.answer.parent_id])
        terms = terms_of_each({job.user_id for job in waiting}) if waiting else {}
        requests, unreadable = [], []
        for job in waiting:
            try:
                requests.append(self._request(job, branches, terms[job.user_id]))
            except Exception:  # whatever is wrong with this row keeps no other one from the line
                log.exception("row_is_no_request", generation=str(job.id))
                unreadable.append(_request_of(job, (), Sampling(), Terms()))
        return requests, unreadable

    def _request(self, job: Generation, branches: dict[UUID, Branch], terms: Terms) -> Request:
        question = job.answer.parent_id
        assert question is not None
        messages = branches[question].messages(job.first_message)
        return _request_of(job, messages, msgspec.convert(job.sampling, Sampling), terms)


def _request_of(
    job: Generation, messages: tuple[ChatMessage, ...], sampling: Sampling, terms: Terms
) -> Request:
    return Request(
        generation=str(job.id),
        attempt=job.attempt + 1,
        user=str(job.user_id),
        conversation=str(job.conversation_id),
        messages=messages,
        sampling=sampling,
        prompt_tokens=job.prompt_tokens,
        max_tokens=job.max_tokens,
        new_chars=job.new_chars,
        batch=job.batch,
        weight=terms.weight,
        max_running=terms.max_running,
        waited_s=max(0.0, (timezone.now() - job.created_at).total_seconds()),
    )
