"""Audit of the kept sums against the ledger: balances, grants and daily usage, repaired if asked.

A discrepancy seen without a lock may be a booking under way: it counts only when it is still there under
the row's lock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Count, F, Q, QuerySet, Sum

from chatsite.quotas.models import Balance, DailyUsage, Grant, LedgerEntry
from chatsite.quotas.windows import next_month

REPORT_KEY = ("day", "person", "group_name", "model")


@dataclass(frozen=True)
class Discrepancy:
    """Something that is not as the ledger says. `repaired` where it is right again."""

    what: str
    found: object
    expected: object
    repaired: bool

    def __str__(self) -> str:
        end = "repaired" if self.repaired else "NOT repaired"
        return f"{self.what}: {self.found}, should be {self.expected} ({end})"


def audit_ledger(*, repair: bool) -> Iterator[Discrepancy]:
    """All differences of all sums."""
    yield from _check_balances(repair)
    yield from _check_grants(repair)
    yield from _check_usage(repair)


def _check_balances(repair: bool) -> Iterator[Discrepancy]:
    for user in list(Balance.objects.order_by("pk").values_list("pk", flat=True)):
        with transaction.atomic():
            row = Balance.objects.select_for_update().filter(pk=user).first()
            if row is None:
                continue
            expected = _window_sums(row)
            found = (row.day_tokens, row.month_tokens)
            if found == expected:
                continue
            if repair:
                Balance.objects.filter(pk=user).update(day_tokens=expected[0], month_tokens=expected[1])
        yield Discrepancy(f"Balance of person {user} (day, month)", found, expected, repair)


def _window_sums(row: Balance) -> tuple[int, int]:
    plan = F("tokens") - F("granted")
    sums = LedgerEntry.objects.filter(
        user_id=row.pk, day__gte=row.month, day__lt=next_month(row.month)
    ).aggregate(day=Sum(plan, filter=Q(day=row.day)), month=Sum(plan))
    return sums["day"] or 0, sums["month"] or 0


def _check_grants(repair: bool) -> Iterator[Discrepancy]:
    drawn = _drawn()
    for grant in Grant.objects.order_by("pk"):
        if grant.used == drawn[str(grant.pk)]:
            continue
        with transaction.atomic():
            Balance.objects.select_for_update().filter(pk=grant.user_id).first()
            fresh = Grant.objects.filter(pk=grant.pk).first()
            expected = _drawn()[str(grant.pk)]
            if fresh is None or fresh.used == expected:
                continue
            found = fresh.used
            if repair:
                Grant.objects.filter(pk=grant.pk).update(used=expected)
        yield Discrepancy(f"Grant {grant.pk}, used", found, expected, repair)


def _drawn() -> Counter[str]:
    drawn: Counter[str] = Counter()
    for draws in LedgerEntry.objects.exclude(granted=0).values_list("draws", flat=True):
        drawn.update(draws)
    return drawn


def _check_usage(repair: bool) -> Iterator[Discrepancy]:
    kept = {_key(row): _figures(row) for row in _kept()}
    booked = {_key(row): _figures(row) for row in _booked()}
    for key in sorted(kept.keys() | booked.keys(), key=str):
        if kept.get(key) == booked.get(key):
            continue
        where = dict(zip(REPORT_KEY, key, strict=True))
        with transaction.atomic():
            found, expected = _usage(where)
            if found is None:  # no row, no lock: the day's first booking may have come between the two reads
                found, expected = _usage(where)
            if found == expected:
                continue
            if repair:
                _replace(where, expected)
        yield Discrepancy(f"Usage of {key[1]} on {key[0]}", found, expected, repair)


def _usage(where: Mapping[str, Any]) -> tuple[tuple[Any, ...] | None, tuple[Any, ...] | None]:
    """What is kept of this day, locked, and what is booked."""
    rows = list(DailyUsage.objects.select_for_update().filter(**where).values())
    expected = next((_figures(row) for row in _booked(**where)), None)
    return (_figures(rows[0]) if rows else None), expected


def _kept() -> Iterator[Mapping[str, Any]]:
    return DailyUsage.objects.values().iterator()


def _booked(**where: Any) -> QuerySet[LedgerEntry, dict[str, Any]]:
    entries = LedgerEntry.objects.filter(kind=LedgerEntry.Kind.SETTLE, **where)
    sums: QuerySet[LedgerEntry, dict[str, Any]] = entries.values(*REPORT_KEY).annotate(
        requests=Count("id"),
        prompt_tokens=Sum("prompt_tokens"),
        completion_tokens=Sum("completion_tokens"),
    )
    return sums


def _replace(where: dict[str, Any], figures: tuple[Any, ...] | None) -> None:
    DailyUsage.objects.filter(**where).delete()
    if figures is not None:
        requests, prompt_tokens, completion_tokens = figures
        owner = Balance.objects.filter(person=where["person"]).first()
        DailyUsage.objects.create(
            **where,
            user_id=owner.pk if owner else None,
            requests=requests,
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
        )


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in REPORT_KEY)


def _figures(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["requests"], row["prompt_tokens"], row["completion_tokens"]
