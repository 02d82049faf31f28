"""The refusal of a spent budget, in words: which window, how much, and when it is new again."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone

from chatsite.errors import Refusal
from chatsite.quotas import windows
from chatsite.quotas.balances import Standing
from chatsite.quotas.resolution import Terms


def budget_spent(terms: Terms, standing: Standing, tokens: int, now: datetime) -> Refusal:
    """Refusal `quota_exceeded`. `standing` counts the refused `tokens` already."""
    zone = timezone.get_default_timezone()
    word, total, limit, ends = (
        "day",
        standing.day_tokens,
        terms.tokens_per_day,
        windows.day_ends(standing.day, zone),
    )
    if terms.tokens_per_month is not None and standing.month_tokens > terms.tokens_per_month:
        word, total, limit = "month", standing.month_tokens, terms.tokens_per_month
        ends = windows.month_ends(standing.day, zone)
    assert limit is not None
    used = total - tokens
    why = terms.why[f"tokens_per_{word}"]
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
