"""`GET /v1/usage`: what this key has used."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from chatsite.accounts.models import ApiKey
from chatsite.openai_api.endpoint import answer, endpoint
from chatsite.openai_api.schemas import KeyUsage


@endpoint("GET", ApiKey.Scope.USAGE)
async def usage(request: HttpRequest, key: ApiKey) -> HttpResponse:
    """Of ended requests; what runs is charged at its end."""
    expires = int(key.expires_at.timestamp()) if key.expires_at else None
    return answer(KeyUsage("usage", key.prefix, key.tokens_used, key.token_budget, expires))
