"""Who may see which generation: whoever asked. A stranger's id is not_found."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet

from chatsite.conversations.access import visible_conversations
from chatsite.errors import Refusal
from chatsite.generations.models import ACTIVE, Generation


def access_generation(user_id: int, generation: UUID) -> Generation:
    """The generation with its answer. Raises Refusal `not_found`."""
    found = (
        Generation.objects.select_related("answer")
        .filter(id=generation, user_id=user_id, conversation__deleted_at=None, answer__deleted_at=None)
        .first()
    )
    if found is None:
        raise Refusal("not_found", "There is no such generation.")
    return found


def active_generations(user_id: int) -> QuerySet[Generation]:
    """What this person has waiting or running, oldest first, but for programs' temporary requests."""
    mine = Generation.objects.filter(
        user_id=user_id, status__in=ACTIVE, conversation__in=visible_conversations(user_id)
    )
    return mine.exclude(api_key__isnull=False, conversation__temporary=True).order_by("created_at")
