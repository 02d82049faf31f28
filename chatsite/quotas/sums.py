"""Are the kept sums the ledger's? Balances, grants and daily usage, each compared and, if asked, mended.

A difference seen without a lock may be a booking under way: it counts only when it is still there under
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
class Difference:
    """Something that is not as the ledger says. `mended` where it is right again."""

    what: str
    found: object
    expected: object
    mended: bool

    def __str__(self) -> str:
        end = "mended" if self.mended else "NOT mended"
        return f"{self.what}: {self.found}, should be {self.expected} ({end})"


def check_sums(*, mend: bool) -> Iterator[Difference]:
    """All differences of all sums."""
    yield from _check_balances(mend)
    yield from _check_grants(mend)
    yield from _check_usage(mend)


def _check_balances(mend: bool) -> Iterator[Difference]:
    for user in list(Balance.objects.order_by("pk").values_list("pk", flat=True)):
        with transaction.atomic():
            row = Balance.objects.select_for_update().filter(pk=user).first()
            if row is None:
                continue
            expected = _window_sums(row)
            found = (row.day_tokens, row.month_tokens)
            if found == expected:
                continue
            if mend:
                Balance.objects.filter(pk=user).update(day_tokens=expected[0], month_tokens=expected[1])
        yield Difference(f"Balance of person {user} (day, month)", found, expected, mend)


def _window_sums(row: Balance) -> tuple[int, int]:
    plan = F("tokens") - F("granted")
    sums = LedgerEntry.objects.filter(
        user_id=row.pk, day__gte=row.month, day__lt=next_month(row.month)
    ).aggregate(day=Sum(plan, filter=Q(day=row.day)), month=Sum(plan))
    return sums["day"] or 0, sums["month"] or 0


def _check_grants(mend: bool) -> Iterator[Difference]:
    drawn = _drawn()
    for grant in Grant.objects.order_by("pk"):
        if grant.used == drawn[str(grant.pk)]:
            continue
        with transaction.atomic():
            Balance.objects.select_for_update().filter(pk=grant.user_id).first()
            found = Grant.objects.get(pk=grant.pk).used
            expected = _drawn()[str(grant.pk)]
            if found == expected:
                continue
            if mend:
                Grant.objects.filter(pk=grant.pk).update(used=expected)
        yield Difference(f"Grant {grant.pk}, used", found, expected, mend)


def _drawn() -> Counter[str]:
    drawn: Counter[str] = Counter()
    for draws in LedgerEntry.objects.exclude(granted=0).values_list("draws", flat=True):
        drawn.update(draws)
    return drawn


def _check_usage(mend: bool) -> Iterator[Difference]:
    kept = {_key(row): _figures(row) for row in _kept()}
    booked = {_key(row): _figures(row) for row in _booked()}
    for key in sorted(kept.keys() | booked.keys(), key=str):
        if kept.get(key) == booked.get(key):
            continue
        where = dict(zip(REPORT_KEY, key, strict=True))
        with transaction.atomic():
            rows = list(DailyUsage.objects.select_for_update().filter(**where).values())
            found = _figures(rows[0]) if rows else None
            expected = next((_figures(row) for row in _booked(**where)), None)
            if found == expected:
                continue
            if mend:
                _replace(where, expected)
        yield Difference(f"Usage of {key[1]} on {key[0]}", found, expected, mend)


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
