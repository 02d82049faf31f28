"""`GET /v1/usage`: what this key has used, and what is left of its owner's budgets."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from chatsite.accounts.models import ApiKey
from chatsite.database import read
from chatsite.openai_api.endpoint import answer, endpoint
from chatsite.openai_api.schemas import KeyUsage, OwnerBudget
from chatsite.quotas.balances import read_budgets


@endpoint("GET", ApiKey.Scope.USAGE)
async def key_usage(request: HttpRequest, key: ApiKey) -> HttpResponse:
    """`tokens_used` is of ended requests; what runs is charged at its end."""
    budgets = await read(read_budgets, key.owner_id, timezone.now())
    owner = tuple(OwnerBudget(b.name, b.used, b.limit, int(b.resets_at.timestamp())) for b in budgets)
    expires = int(key.expires_at.timestamp()) if key.expires_at else None
    return answer(KeyUsage("usage", key.prefix, key.tokens_used, key.token_budget, expires, owner))
