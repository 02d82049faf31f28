"""Does the ledger say what the answers say? Every ended generation, and every reservation, is looked at.

Reservations that outlived their generation are ended here: by what the row says was made, or, where the
row is gone too, by giving all back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from itertools import islice
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from chatsite.generations.models import ACTIVE, Generation
from chatsite.quotas.ledger import ENDS, Spent, open_reservations, settle
from chatsite.quotas.ledger_audit import Discrepancy, audit_ledger
from chatsite.quotas.models import LedgerEntry
from chatsite.quotas.pricing import charge

ROWS_AT_ONCE = 500
"""Ids in one query: below SQLite's limit of variables."""

GONE_S = 3600.0
"""A generation whose row was deleted may still run for as long as the longest deadlines allow."""

RECENT_DAYS = 2
"""How far back the running site looks for dead reservations; the command looks at all."""


def reconcile(*, repair: bool, gone_s: float = GONE_S) -> Iterator[Discrepancy]:
    """All differences between answers, ledger and its kept sums. With `repair` what can be is put right."""
    yield from _check_reservations(repair, timezone.now() - timedelta(seconds=gone_s))
    yield from _check_generations()
    yield from audit_ledger(repair=repair)


def dead_reservations(now: datetime) -> list[UUID]:
    """Open reservations of the last days that no living generation holds. Only reads."""
    recent = open_reservations().filter(day__gte=(now - timedelta(days=RECENT_DAYS)).date())
    return [spent.generation for spent in _dead(recent, now - timedelta(seconds=GONE_S))]


def end_reservations(generations: Collection[UUID]) -> int:
    """End these reservations by what their rows say; returns how many were still open."""
    with transaction.atomic():
        return settle([_spent(job, id) for id, job in _rows(generations).items()])


def _check_reservations(repair: bool, before: datetime) -> Iterator[Discrepancy]:
    for spent in _dead(open_reservations(), before):
        if repair:
            with transaction.atomic():
                settle([spent])
        yield Discrepancy(f"Reservation of generation {spent.generation}", "open", "ended", repair)


def _dead(reservations: QuerySet[LedgerEntry], before: datetime) -> Iterator[Spent]:
    """Reservations whose generation has ended; or is missing, and was asked for before that moment."""
    asked = dict(reservations.values_list("generation", "created_at"))
    ids = iter(asked)
    while some := list(islice(ids, ROWS_AT_ONCE)):
        dead = {
            id: _spent(job, id)
            for id, job in _rows(some).items()
            if (job is None and asked[id] < before) or (job is not None and job.status not in ACTIVE)
        }
        # Looked at again: on a running site some ended, reservation and all, since they were read as open.
        for id in set(reservations.filter(generation__in=dead).values_list("generation", flat=True)):
            yield dead[id]


def _rows(ids: Collection[UUID]) -> dict[UUID, Generation | None]:
    found = Generation.objects.in_bulk(list(ids))
    return {id: found.get(id) for id in ids}


def _spent(job: Generation | None, id: UUID) -> Spent:
    if job is None:
        return Spent(id, 0, 0)
    prompt_tokens = job.usage.get("prompt_tokens", 0)
    if not charge(job.status, prompt_tokens, job.completion_tokens):
        return Spent(id, 0, 0)
    return Spent(id, prompt_tokens, job.completion_tokens)


def _check_generations() -> Iterator[Discrepancy]:
    """An answer and its booking are one transaction: a difference is a defect, and is not repaired."""
    ended = (
        Generation.objects.filter(imported=False)
        .exclude(status__in=ACTIVE)
        .order_by("id")
        .only("status", "usage", "completion_tokens")
    )
    rows = ended.iterator(ROWS_AT_ONCE)
    while some := list(islice(rows, ROWS_AT_ONCE)):
        booked = _booked([job.id for job in some])
        for job in some:
            expected = _spent(job, job.id)
            found = booked.get(job.id)
            if found is None or (found.prompt_tokens, found.completion_tokens) != (
                expected.prompt_tokens,
                expected.completion_tokens,
            ):
                yield Discrepancy(
                    f"Generation {job.id}", found.tokens if found else "not booked", expected.tokens, False
                )


def _booked(ids: Collection[UUID]) -> dict[UUID, Spent]:
    sums: dict[UUID, Spent] = {}
    for entry in LedgerEntry.objects.filter(generation__in=ids, kind__in=ENDS):
        before = sums.get(entry.generation, Spent(entry.generation, 0, 0))
        sums[entry.generation] = Spent(
            entry.generation,
            before.prompt_tokens + entry.prompt_tokens,
            before.completion_tokens + entry.completion_tokens,
        )
    return sums
