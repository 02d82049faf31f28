"""Intake: rows that wait become requests. The rows are the queue's truth; this only carries them over."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Protocol
from uuid import UUID

import msgspec
from django.utils import timezone

from chatsite.attachments.branch import read_full_branches
from chatsite.conversations.branch import Branch
from chatsite.database import read
from chatsite.generations.models import ACTIVE, Generation, Status
from chatsite.quotas.resolution import Terms
from chatsite.quotas.terms import terms_of_each
from inference.request import Request, Sampling
from inference.scheduling.errors import QueueFullError

AT_ONCE = 500
"""Rows carried over in one go; more than the queue's bound at its default."""


class Line(Protocol):
    """The dispatcher, as intake sees it."""

    @property
    def known(self) -> Collection[str]: ...

    def enqueue(self, request: Request) -> None: ...

    def cancel(self, generation: str) -> bool: ...


class Intake:
    """Looks at the rows when the doorbell rings, and every few seconds without it."""

    def __init__(self, line: Line, spare: Callable[[], bool] = lambda: True) -> None:
        """`spare`: whether the engine has time for what nobody waits for."""
        self._line = line
        self._spare = spare

    async def look(self) -> None:
        """Carry over new rows and wishes to cancel. Safe to call at any time, any number of times."""
        known = frozenset(self._line.known)
        # `spare` looks at the dispatcher, which belongs to the loop: asked here, not in the reading thread.
        requests, cancelled = await read(self._changes, known, self._spare())
        for request in requests:
            if request.generation not in self._line.known:
                with suppress(QueueFullError):  # its row waits outside, and is looked at again
                    self._line.enqueue(request)
        # Last: a question may be stopped in the same look that finds it.
        for generation in cancelled:
            self._line.cancel(generation)

    def _changes(self, known: frozenset[str], spare: bool) -> tuple[list[Request], list[str]]:
        queued = Generation.objects.filter(status=Status.QUEUED)
        if not spare:
            queued = queued.filter(titles=None)
        waiting = list(
            queued.exclude(id__in=[UUID(id) for id in known])
            .select_related("answer")
            .order_by("created_at")[:AT_ONCE]
        )
        branches = read_full_branches([job.answer.parent_id for job in waiting if job.answer.parent_id])
        wishes = Generation.objects.filter(status__in=ACTIVE, cancel_requested=True)
        terms = terms_of_each({job.user_id for job in waiting}) if waiting else {}
        requests = [self._request(job, branches, terms[job.user_id]) for job in waiting]
        return requests, [str(id) for id in wishes.values_list("id", flat=True)]

    def _request(self, job: Generation, branches: dict[UUID, Branch], terms: Terms) -> Request:
        question = job.answer.parent_id
        assert question is not None
        return Request(
            generation=str(job.id),
            attempt=job.attempt + 1,
            user=str(job.user_id),
            conversation=str(job.conversation_id),
            messages=branches[question].messages(job.first_message),
            sampling=msgspec.convert(job.sampling, Sampling),
            prompt_tokens=job.prompt_tokens,
            max_tokens=job.max_tokens,
            new_chars=job.new_chars,
            batch=job.batch,
            weight=terms.weight,
            max_running=terms.max_running,
            waited_s=max(0.0, (timezone.now() - job.created_at).total_seconds()),
        )
