"""The `x-ratelimit-*` headers: the account's minute, and the key's own budget where it has one."""

from __future__ import annotations

from django.http import HttpResponseBase

from chatsite.openai_api.run import Run


def tell_rates(response: HttpResponseBase, run: Run) -> None:
    """As OpenAI's: limits, what is left after this request, and when the window is over."""
    rate = run.rate
    response["x-ratelimit-limit-requests"] = str(rate.limit)
    response["x-ratelimit-remaining-requests"] = str(rate.remaining)
    response["x-ratelimit-reset-requests"] = f"{rate.reset_s:.0f}s"
    if run.key.token_budget is not None:
        left = max(0, run.key.token_budget - run.key.tokens_used)
        response["x-ratelimit-limit-tokens"] = str(run.key.token_budget)
        response["x-ratelimit-remaining-tokens"] = str(left)
