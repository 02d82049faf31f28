"""A key's own token budget, inside its owner's quota: what it used and what it has reserved stay under it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import F, Sum

from chatsite.accounts.models import ApiKey
from chatsite.errors import Refusal
from chatsite.generations.models import ACTIVE, Generation
from chatsite.sql_values import uuid_key

_BUDGET = (
    f"SELECT token_budget, tokens_used FROM {ApiKey._meta.db_table} WHERE id = %s AND revoked_at IS NULL"  # noqa: S608  # nosec
)
_CHARGE = f"UPDATE {ApiKey._meta.db_table} SET tokens_used = tokens_used + %s WHERE id = %s"  # noqa: S608  # nosec


def check_key_budget(key: UUID, tokens: int) -> None:
    """Inside the submit's transaction: may this key reserve so many tokens? Raises Refusal.

    Locks the key's row, so that parallel requests are counted one after the other. What is active counts
    with prompt and longest answer; its end gives the rest back by no longer being active.
    """
    lock = " FOR UPDATE" if connection.features.has_select_for_update else ""
    with connection.cursor() as cursor:
        cursor.execute(_BUDGET + lock, [uuid_key(key)])
        row = cursor.fetchone()
    if row is None:
        raise Refusal("not_found", "This API key was revoked.")
    budget, used = row
    if budget is None:
        return
    active = Generation.objects.filter(status__in=ACTIVE, api_key_id=key)
    reserved = active.aggregate(tokens=Sum(F("prompt_tokens") + F("max_tokens")))["tokens"] or 0
    left = budget - used - reserved
    if tokens > left:
        raise Refusal(
            "quota_exceeded",
            f"This request needs up to {tokens:,} tokens; the key has {max(0, left):,} "
            f"of {budget:,} left. Lower max_tokens, or ask for a larger budget.",
        )


def charge_keys(charges: Iterable[tuple[Any, int]]) -> None:
    """Inside the recorder's transaction: tokens that answers of these keys have come to, each once. Keys as
    the database gives them.
    """
    with connection.cursor() as cursor:
        for key, tokens in sorted(charges, key=lambda charge: str(charge[0])):
            cursor.execute(_CHARGE, [tokens, key])
