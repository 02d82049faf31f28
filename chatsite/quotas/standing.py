"""How a person stands: each budget with what is used, its limit, and when it is new again."""

from __future__ import annotations

from datetime import date, datetime

from django.utils import timezone

from chatsite.quotas import windows
from chatsite.quotas.budget import WARN_AT, Budget
from chatsite.quotas.models import Balance, Grant
from chatsite.quotas.resolution import Terms
from chatsite.quotas.terms import terms_of


def read_budgets(user_id: int, now: datetime) -> tuple[Budget, ...]:
    """The person's budgets; empty where nothing limits them."""
    terms = terms_of(user_id)
    if not terms.limited:
        return ()
    balance = Balance.objects.filter(user_id=user_id).first()
    day = windows.day_of(now, timezone.get_default_timezone())
    if balance is None or balance.month < windows.month_of(day):
        return budgets_of(user_id, terms, day, 0, 0, now)
    today = balance.day_tokens if balance.day >= day else 0
    return budgets_of(user_id, terms, max(day, balance.day), today, balance.month_tokens, now)


def budgets_of(
    user_id: int, terms: Terms, day: date, day_tokens: int, month_tokens: int, now: datetime
) -> tuple[Budget, ...]:
    """The same from sums that are known already. Grants are read only for people who have limits."""
    if not terms.limited:
        return ()
    zone = timezone.get_default_timezone()
    budgets = [
        _budget(name, used, limit, resets_at)
        for name, used, limit, resets_at in (
            ("day", day_tokens, terms.tokens_per_day, windows.day_ends(day, zone)),
            ("month", month_tokens, terms.tokens_per_month, windows.month_ends(day, zone)),
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
