"""Erasing what was never meant to stay: temporary conversations, soon after their answers have ended."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from chatsite.conversations.models import Conversation
from chatsite.generations.models import ACTIVE, Generation

ERASE_AFTER_S = 40
"""After the end of the answer. With the sweep every 20 s, content is gone within the promised minute."""


def erase_temporary() -> int:
    """Delete temporary conversations with all that is in them; returns how many rows went."""
    before = timezone.now() - timedelta(seconds=ERASE_AFTER_S)
    alive = Generation.objects.filter(
        Q(status__in=ACTIVE) | Q(finished_at__gte=before), conversation=OuterRef("pk")
    )
    found = Conversation.objects.filter(temporary=True, created_at__lt=before).exclude(Exists(alive))
    return found.delete()[0]
