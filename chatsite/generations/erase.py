"""Erasing what was never meant to stay: programs' prompts and askings for titles, soon after their end.

A person's temporary chat goes when they leave it (conversations/actions.py)."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from chatsite.attachments.erase import erase_conversations_part
from chatsite.conversations.models import Conversation, TitleSource
from chatsite.generations.models import ACTIVE, Generation

ERASE_AFTER_S = 40
"""After the end of the answer. With a cleanup every 20 s, content is gone within the promised minute."""


def erase_temporary() -> int:
    """A slice of programs' temporary conversations and of those of askings for titles; returns rows gone."""
    before = timezone.now() - timedelta(seconds=ERASE_AFTER_S)
    alive = Generation.objects.filter(
        Q(status__in=ACTIVE) | Q(finished_at__gte=before), conversation=OuterRef("pk")
    )
    programs = Generation.objects.filter(api_key__isnull=False, conversation=OuterRef("pk"))
    old = Conversation.objects.filter(temporary=True, created_at__lt=before)
    found = old.filter(Exists(programs) | Q(naming=TitleSource.NONE), ~Exists(alive))
    return erase_conversations_part(found)
