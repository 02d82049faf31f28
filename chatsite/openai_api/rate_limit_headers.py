"""The `x-ratelimit-*` headers: the account's minute, and the token budget that is nearest its end."""

from __future__ import annotations

from django.http import HttpResponseBase
from django.utils import timezone

from chatsite.openai_api.api_generation import ApiGeneration


def set_rate_limit_headers(response: HttpResponseBase, run: ApiGeneration) -> None:
    """Set the headers as OpenAI does: limits, what is left with this request reserved, seconds to reset."""
    response["x-ratelimit-limit-requests"] = str(run.rate.limit)
    response["x-ratelimit-remaining-requests"] = str(run.rate.remaining)
    response["x-ratelimit-reset-requests"] = f"{run.rate.reset_s:.0f}s"
    if bounds := _token_bounds(run):
        remaining, limit, reset_s = min(bounds, key=lambda bound: bound[0])
        response["x-ratelimit-limit-tokens"] = str(limit)
        response["x-ratelimit-remaining-tokens"] = str(max(0, remaining))
        if reset_s is not None:
            response["x-ratelimit-reset-tokens"] = f"{reset_s:.0f}s"


def _token_bounds(run: ApiGeneration) -> list[tuple[int, int, float | None]]:
    """(left, limit, seconds until it is new again) of the owner's budgets and of the key's own."""
    now = timezone.now()
    bounds: list[tuple[int, int, float | None]] = [
        (budget.limit - budget.used, budget.limit, (budget.resets_at - now).total_seconds())
        for budget in run.budgets
    ]
    if run.key.token_budget is not None:
        bounds.append((run.key.token_budget - run.key.tokens_used, run.key.token_budget, None))
    return bounds
