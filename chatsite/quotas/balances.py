"""The sums of the ledger, kept: one upsert locks a person, adds, rolls the windows over and reads the result.

SQLite and PostgreSQL both know this statement. Windows never go back: a process whose clock lags
books into the day that another one has begun.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection
from django.utils import timezone

from chatsite.quotas import windows
from chatsite.quotas.budgets import WARN_AT, Budget
from chatsite.quotas.models import Balance, Grant
from chatsite.quotas.plans import EffectiveLimits, limits_of
from chatsite.quotas.windows import month_of
from chatsite.sql_values import date_of, uuid_key, uuid_of

_ADD = """
INSERT INTO quotas_balance (user_id, person, day, month, day_tokens, month_tokens)
VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (user_id) DO UPDATE SET
    day_tokens = excluded.day_tokens
        + CASE WHEN quotas_balance.day < excluded.day THEN 0 ELSE quotas_balance.day_tokens END,
    month_tokens = excluded.month_tokens
        + CASE WHEN quotas_balance.month < excluded.month THEN 0 ELSE quotas_balance.month_tokens END,
    day = CASE WHEN quotas_balance.day < excluded.day THEN excluded.day ELSE quotas_balance.day END,
    month = CASE WHEN quotas_balance.month < excluded.month THEN excluded.month ELSE quotas_balance.month END
RETURNING person, day, day_tokens, month_tokens
"""

_CORRECT = """
UPDATE quotas_balance SET
    day_tokens = day_tokens + CASE WHEN day = %s THEN %s ELSE 0 END,
    month_tokens = month_tokens + CASE WHEN month = %s THEN %s ELSE 0 END
WHERE user_id = %s
"""

_COUNT = """
INSERT INTO quotas_dailyusage
    (day, person, user_id, group_name, model, requests, prompt_tokens, completion_tokens)
VALUES (%s, %s, %s, %s, %s, 1, %s, %s)
ON CONFLICT (day, person, group_name, model) DO UPDATE SET
    requests = quotas_dailyusage.requests + 1,
    prompt_tokens = quotas_dailyusage.prompt_tokens + excluded.prompt_tokens,
    completion_tokens = quotas_dailyusage.completion_tokens + excluded.completion_tokens
"""


@dataclass(frozen=True)
class WindowTotals:
    """A person's sums after a booking. `day` is the day it was booked into."""

    person: uuid.UUID
    day: date
    day_tokens: int
    month_tokens: int


@dataclass(frozen=True)
class Correction:
    """A change, after the fact, of the windows that hold `day`. `tokens` leaves grants out."""

    user: int
    day: date
    tokens: int


@dataclass(frozen=True)
class Use:
    """What one settled generation adds to the reports."""

    day: date
    person: uuid.UUID
    user: int | None
    group_name: str
    model: str
    prompt_tokens: int
    completion_tokens: int


def add(user: int, tokens: int, day: date) -> WindowTotals:
    """Add tokens to the person's windows and lock their row until the transaction ends."""
    fresh = uuid.uuid4()
    params = [user, uuid_key(fresh), _day(day), _day(month_of(day)), tokens, tokens]
    with connection.cursor() as cursor:
        cursor.execute(_ADD, params)
        person, booked, day_tokens, month_tokens = cursor.fetchone()
    return WindowTotals(uuid_of(person), date_of(booked), day_tokens, month_tokens)


def correct(corrections: Iterable[Correction]) -> None:
    """Change sums where their window is still the current one. People are locked in the order of ids, those
    too whose sums stay: what is changed of their grants next is then theirs alone.
    """
    rows = [
        [_day(change.day), change.tokens, _day(month_of(change.day)), change.tokens, change.user]
        for change in sorted(corrections, key=lambda change: change.user)
    ]
    _execute(_CORRECT, rows)


def count(uses: Iterable[Use]) -> None:
    """Add settled generations to the reports' sums."""
    rows = [
        [
            _day(use.day),
            uuid_key(use.person),
            use.user,
            use.group_name,
            use.model,
            use.prompt_tokens,
            use.completion_tokens,
        ]
        for use in sorted(uses, key=lambda use: (use.day, use.person.hex, use.group_name, use.model))
    ]
    _execute(_COUNT, rows)


def read_budgets(user_id: int, now: datetime) -> tuple[Budget, ...]:
    """The person's budgets; empty where nothing limits them."""
    limits = limits_of(user_id)
    if not limits.limited:
        return ()
    balance = Balance.objects.filter(user_id=user_id).first()
    day = windows.day_of(now, timezone.get_default_timezone())
    if balance is None or balance.month < windows.month_of(day):
        return budgets_of(user_id, limits, day, 0, 0, now)
    today = balance.day_tokens if balance.day >= day else 0
    return budgets_of(user_id, limits, max(day, balance.day), today, balance.month_tokens, now)


def budgets_of(
    user_id: int, limits: EffectiveLimits, day: date, day_tokens: int, month_tokens: int, now: datetime
) -> tuple[Budget, ...]:
    """The same from sums that are known already. Grants are read only for people who have limits."""
    if not limits.limited:
        return ()
    zone = timezone.get_default_timezone()
    budgets = [
        _budget(name, used, limit, resets_at)
        for name, used, limit, resets_at in (
            ("day", day_tokens, limits.tokens_per_day, windows.day_ends(day, zone)),
            ("month", month_tokens, limits.tokens_per_month, windows.month_ends(day, zone)),
        )
        if limit is not None
    ]
    grants = list(Grant.objects.filter(user_id=user_id, ends_at__gt=now).order_by("ends_at"))
    if grants:
        tokens, used = sum(grant.tokens for grant in grants), sum(grant.used for grant in grants)
        budgets.append(_budget("grant", used, tokens, grants[0].ends_at))
    return tuple(budgets)


def _budget(name: str, used: int, limit: int, resets_at: datetime) -> Budget:
    return Budget(name, max(0, used), limit, resets_at, used >= WARN_AT * limit)  # type: ignore[arg-type]


def _execute(statement: str, rows: list[list[Any]]) -> None:
    with connection.cursor() as cursor:
        for row in rows:
            cursor.execute(statement, row)


def _day(value: date) -> Any:
    return connection.ops.adapt_datefield_value(value)
