"""Cancel: a wish noted on the row. The inference process stops the work and writes the end."""

from __future__ import annotations

from uuid import UUID

from chatsite.generations.access import access_generation
from chatsite.generations.models import ACTIVE, Generation


def do_cancel(user_id: int, generation: UUID) -> bool:
    """Note that this generation shall stop; False where it had ended already. Raises Refusal `not_found`."""
    access_generation(user_id, generation)
    return bool(Generation.objects.filter(id=generation, status__in=ACTIVE).update(cancel_requested=True))


def do_cancel_of_key(key: UUID) -> list[UUID]:
    """For a revocation: note that all that this key has active shall stop; returns which ones."""
    active = Generation.objects.filter(api_key_id=key, status__in=ACTIVE)
    found = list(active.values_list("id", flat=True))
    active.update(cancel_requested=True)
    return found
