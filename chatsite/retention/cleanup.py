"""Retention of conversations: the site's policy, a conversation's own days, and erasing what is past both."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from chatsite.attachments.erase import erase_conversations_part
from chatsite.conversations.access import access_conversation
from chatsite.conversations.models import Conversation
from chatsite.errors import Refusal
from chatsite.generations.models import ACTIVE, Generation
from chatsite.retention.models import MAX_DAYS, ConversationRetention, RetentionPolicy


def read_policy() -> RetentionPolicy:
    """Return the site's retention policy; without a row nothing is ever erased."""
    return RetentionPolicy.objects.filter(id=1).first() or RetentionPolicy()


def do_begin_policy() -> None:
    """Make the one row, for a form to change."""
    RetentionPolicy.objects.get_or_create(id=1)


def conversations_past_retention(now: datetime) -> QuerySet[Conversation]:
    """Select conversations past their retention, except those being answered."""
    over = Q(pk__in=[])
    for days in ConversationRetention.objects.values_list("days", flat=True).distinct():
        if days is not None:
            over |= Q(retention__days=days) & _untouched_since(now - timedelta(days=days))
    policy = read_policy()
    if policy.days is not None:
        spared = Q(pinned=False) if policy.spare_pinned else Q()
        over |= spared & _untouched_since(now - timedelta(days=policy.days))
    active = Generation.objects.filter(conversation=OuterRef("pk"), status__in=ACTIVE)
    return Conversation.objects.filter(over, ~Exists(active))


def erase_past_retention() -> int:
    """Erase a slice of what is due; returns how many rows went, 0 when nothing is left."""
    return erase_conversations_part(conversations_past_retention(timezone.now()))


@transaction.atomic
def do_set_retention(user_id: int, id: UUID, days: int | None) -> None:
    """Set how many days a conversation is kept; None: by the site's policy. Raises Refusal."""
    home = access_conversation(user_id, id)
    if days is not None and not 1 <= days <= MAX_DAYS:
        raise Refusal("bad_frame", f"days={days}: must be from 1 to {MAX_DAYS:,}, or null.")
    ConversationRetention.objects.update_or_create(conversation=home, defaults={"days": days})


def retention_days(user_id: int, id: UUID) -> int | None:
    """Return a conversation's own days. Raises Refusal `not_found`."""
    home = access_conversation(user_id, id)
    return ConversationRetention.objects.filter(conversation=home).values_list("days", flat=True).first()


def _untouched_since(limit: datetime) -> Q:
    arrived = Q(retention=None) | Q(retention__since=None) | Q(retention__since__lt=limit)
    return Q(updated_at__lt=limit) & arrived
