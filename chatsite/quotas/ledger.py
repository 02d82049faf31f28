"""Reserve, settle, release: the only writers of the ledger. Each runs inside its caller's transaction.

Locks are taken in one order: the person's balance (several: by id), then their grants. On SQLite the
transaction itself is the lock (BEGIN IMMEDIATE).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection
from django.db.models import Exists, F, OuterRef, QuerySet
from django.utils import timezone

from chatsite.errors import Refusal
from chatsite.quotas import balances, windows
from chatsite.quotas.balances import Correction, Use, WindowTotals
from chatsite.quotas.grants import Allocations, AvailableGrant, allocate, refunds, shortfall
from chatsite.quotas.models import Grant, LedgerEntry
from chatsite.quotas.plans import EffectiveLimits
from chatsite.row_inserts import insert_rows
from chatsite.sql_values import date_of, marks, uuid_key, uuid_of

ENDS = (LedgerEntry.Kind.SETTLE, LedgerEntry.Kind.RELEASE)

# Plain SQL, since every answer's end asks this. The group that a person's use counts for is of several the
# first by name, so that sums add up.
_OPEN = f"""
SELECT reserved.generation, attempt, reserved.user_id, person, day, tokens, draws, (
    SELECT MIN(team.name) FROM accounts_user_groups member JOIN auth_group team ON team.id = member.group_id
    WHERE member.user_id = reserved.user_id
) FROM quotas_ledgerentry reserved
WHERE kind = '{LedgerEntry.Kind.RESERVE}' AND generation IN ({{marks}}) AND NOT EXISTS (
    SELECT 1 FROM quotas_ledgerentry ended
    WHERE ended.generation = reserved.generation AND ended.attempt = reserved.attempt
        AND ended.kind IN ({", ".join(f"'{kind}'" for kind in ENDS)})
)
"""  # noqa: S608 - the values are the model's own  # nosec


@dataclass(frozen=True)
class Spent:
    """The tokens that a generation really used; none at all is a release."""

    generation: UUID
    prompt_tokens: int
    completion_tokens: int

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


def reserve(user: int, limits: EffectiveLimits, generation: UUID, tokens: int, now: datetime) -> WindowTotals:
    """Reserve tokens for a generation. Raises Refusal `quota_exceeded`; the caller rolls back."""
    totals = balances.add(user, tokens, windows.day_of(now, timezone.get_default_timezone()))
    over = shortfall(
        tokens,
        [(totals.day_tokens, limits.tokens_per_day), (totals.month_tokens, limits.tokens_per_month)],
    )
    taken = _take_from_grants(user, over, now) if over else {}
    if taken is None:
        raise quota_exceeded(limits, totals, tokens, now)
    if over:
        balances.correct([Correction(user, totals.day, -over)])
    entry = LedgerEntry(
        kind=LedgerEntry.Kind.RESERVE,
        generation=generation,
        user_id=user,
        person=totals.person,
        day=totals.day,
        tokens=tokens,
        granted=over,
        draws=taken,
        created_at=now,
    )
    insert_rows([entry])
    return WindowTotals(totals.person, totals.day, totals.day_tokens - over, totals.month_tokens - over)


def settle(spent: Sequence[Spent], model: str = "") -> int:
    """End the open reservations of these generations by the tokens really used; returns how many there were.

    Settling what is settled changes nothing. `model` is the one that answered.
    """
    came_to = {item.generation: item for item in spent}
    open = _open_of(list(came_to))
    if not open:
        return 0
    ends = [_end(entry, came_to[entry.generation], model) for entry in open]
    balances.correct(
        Correction(end.user_id, end.day, end.tokens - end.granted) for end in ends if end.user_id is not None
    )
    for end in ends:
        _add_to_grants(end.draws)
    insert_rows(ends)
    balances.count(_use(end) for end in ends if end.kind == LedgerEntry.Kind.SETTLE)
    return len(ends)


def release(generations: Sequence[UUID]) -> int:
    """Release open reservations: nothing was used. Returns how many there were."""
    return settle([Spent(generation, 0, 0) for generation in generations])


def open_reservations() -> QuerySet[LedgerEntry]:
    """Reservations that nothing has ended yet."""
    end = LedgerEntry.objects.filter(
        generation=OuterRef("generation"), attempt=OuterRef("attempt"), kind__in=ENDS
    )
    return LedgerEntry.objects.filter(~Exists(end), kind=LedgerEntry.Kind.RESERVE)


def _open_of(generations: Sequence[UUID]) -> list[LedgerEntry]:
    """The open reservations of these; with the group that the person's use counts for now."""
    found = []
    for start in range(0, len(generations), MARKS):
        some = generations[start : start + MARKS]
        with connection.cursor() as cursor:
            cursor.execute(_OPEN.format(marks=marks(some)), [uuid_key(id) for id in some])
            found += cursor.fetchall()
    return [
        LedgerEntry(
            kind=LedgerEntry.Kind.RESERVE,
            generation=uuid_of(generation),
            attempt=attempt,
            user_id=user,
            person=uuid_of(person),
            day=date_of(day),
            group_name=group or "",
            tokens=tokens,
            draws=json.loads(draws),
        )
        for generation, attempt, user, person, day, tokens, draws, group in found
    ]


MARKS = 500
"""Values of one statement: SQLite's oldest limit is 999."""


def _take_from_grants(user: int, tokens: int, now: datetime) -> Allocations | None:
    grants = (
        Grant.objects.select_for_update()
        .filter(user_id=user, ends_at__gt=now, used__lt=F("tokens"))
        .order_by("ends_at", "id")
    )
    taken = allocate(tokens, [AvailableGrant(str(grant.pk), grant.tokens - grant.used) for grant in grants])
    _add_to_grants(taken or {})
    return taken


def _add_to_grants(allocations: Mapping[str, int]) -> None:
    for grant, tokens in sorted(allocations.items()):
        Grant.objects.filter(pk=int(grant)).update(used=F("used") + tokens)


def _end(reserved: LedgerEntry, spent: Spent, model: str) -> LedgerEntry:
    refunded = refunds(reserved.tokens, reserved.draws, spent.tokens)
    return LedgerEntry(
        kind=LedgerEntry.Kind.SETTLE if spent.tokens else LedgerEntry.Kind.RELEASE,
        generation=reserved.generation,
        attempt=reserved.attempt,
        user_id=reserved.user_id,
        person=reserved.person,
        day=reserved.day,
        group_name=reserved.group_name,
        model=model,
        tokens=spent.tokens - reserved.tokens,
        granted=sum(refunded.values()),
        draws=refunded,
        prompt_tokens=spent.prompt_tokens,
        completion_tokens=spent.completion_tokens,
    )


def _use(end: LedgerEntry) -> Use:
    return Use(
        end.day,
        end.person,
        end.user_id,
        end.group_name,
        end.model,
        end.prompt_tokens,
        end.completion_tokens,
    )


def quota_exceeded(limits: EffectiveLimits, totals: WindowTotals, tokens: int, now: datetime) -> Refusal:
    """Refusal `quota_exceeded`. `totals` counts the refused `tokens` already."""
    zone = timezone.get_default_timezone()
    word, total, limit, ends = (
        "day",
        totals.day_tokens,
        limits.tokens_per_day,
        windows.day_ends(totals.day, zone),
    )
    if limits.tokens_per_month is not None and totals.month_tokens > limits.tokens_per_month:
        word, total, limit = "month", totals.month_tokens, limits.tokens_per_month
        ends = windows.month_ends(totals.day, zone)
    assert limit is not None
    used = total - tokens
    why = limits.why[f"tokens_per_{word}"]
    if tokens > limit:
        remedy = "It is larger than the whole budget: shorten the text or ask an administrator for more."
    else:
        remedy = f"The budget is new at {ends:%Y-%m-%d %H:%M %Z}."
    return Refusal(
        "quota_exceeded",
        f"Your budget is {limit:,} tokens a {word}, by plan {why}; {max(0, used):,} are used "
        f"or reserved and this question may take {tokens:,}. {remedy}",
        max(0.0, (ends - now).total_seconds()),
        needed=tokens,
        most=max(0, limit - used),
    )
