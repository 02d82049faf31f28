"""Cancel: a wish noted on the row. The inference process stops the work and writes the end."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from chatsite.accounts.keys import do_revoke_key
from chatsite.generations.access import access_generation
from chatsite.generations.models import ACTIVE, Generation


def do_cancel(user_id: int, generation: UUID) -> bool:
    """Note that this generation shall stop; False where it had ended already. Raises Refusal `not_found`."""
    access_generation(user_id, generation)
    return bool(Generation.objects.filter(id=generation, status__in=ACTIVE).update(cancel_requested=True))


def do_revoke(key: UUID) -> list[UUID]:
    """Revoke an API key and stop what it has waiting or running; returns which ones, to ring for.

    The key's row first: a submit that is under way holds it, and is then seen here.
    """
    with transaction.atomic():
        do_revoke_key(key)
        active = Generation.objects.filter(api_key_id=key, status__in=ACTIVE)
        found = list(active.values_list("id", flat=True))
        active.update(cancel_requested=True)
    return found
