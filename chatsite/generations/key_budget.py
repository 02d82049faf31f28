"""A key's own token budget, inside its owner's quota: what it used and what it has reserved stay under it."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db.models import F, Sum

from chatsite.accounts.models import ApiKey
from chatsite.errors import Refusal
from chatsite.generations.models import ACTIVE, Generation
from chatsite.quotas.pricing import charge


def check_key_budget(key: UUID, tokens: int) -> None:
    """Inside the submit's transaction: may this key reserve so many tokens? Raises Refusal.

    Locks the key's row, so that parallel requests are counted one after the other. What is active counts
    with prompt and longest answer; its end gives the rest back by no longer being active.
    """
    row = ApiKey.objects.select_for_update().filter(id=key, revoked_at=None).first()
    if row is None:
        raise Refusal("not_found", "This API key was revoked.")
    if row.token_budget is None:
        return
    active = Generation.objects.filter(status__in=ACTIVE, api_key_id=key)
    reserved = active.aggregate(tokens=Sum(F("prompt_tokens") + F("max_tokens")))["tokens"] or 0
    left = row.token_budget - row.tokens_used - reserved
    if tokens > left:
        raise Refusal(
            "quota_exceeded",
            f"This request needs up to {tokens:,} tokens; the key has {max(0, left):,} "
            f"of {row.token_budget:,} left. Lower max_tokens, or ask for a larger budget.",
        )


def charge_keys(generations: Sequence[str]) -> None:
    """Inside the recorder's transaction: these have just ended, each charged once with what was made."""
    ended = Generation.objects.filter(id__in=generations, api_key__isnull=False)
    for key, status, usage in ended.values_list("api_key_id", "status", "usage"):
        tokens = charge(status, usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0))
        ApiKey.objects.filter(id=key).update(tokens_used=F("tokens_used") + tokens)
