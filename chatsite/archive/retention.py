"""How long conversations stay: the site's policy and their own days, and the sweep that obeys both."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from chatsite.archive.models import MAX_DAYS, Keep, RetentionPolicy
from chatsite.attachments.erase import erase_conversations
from chatsite.conversations.access import access_conversation
from chatsite.conversations.models import Conversation
from chatsite.errors import Refusal
from chatsite.generations.models import ACTIVE, Generation

AT_ONCE = 50
"""Conversations erased by one call: the one SQLite writer is free again within tens of milliseconds."""


def read_policy() -> RetentionPolicy:
    """The site's; without a row nothing is ever erased."""
    return RetentionPolicy.objects.filter(id=1).first() or RetentionPolicy()


def due(now: datetime) -> QuerySet[Conversation]:
    """Conversations whose time is over. One that is being answered is not."""
    over = Q(pk__in=[])
    for days in Keep.objects.values_list("days", flat=True).distinct():
        if days is not None:
            over |= Q(keep__days=days) & _untouched_since(now - timedelta(days=days))
    policy = read_policy()
    if policy.days is not None:
        spared = Q(pinned=False) if policy.spare_pinned else Q()
        over |= spared & _untouched_since(now - timedelta(days=policy.days))
    active = Generation.objects.filter(conversation=OuterRef("pk"), status__in=ACTIVE)
    return Conversation.objects.filter(over, ~Exists(active))


def erase_due() -> int:
    """Erase some of what is due; returns how many conversations, 0 when nothing is left."""
    ids = list(due(timezone.now()).values_list("id", flat=True)[:AT_ONCE])
    if ids:
        erase_conversations(Conversation.objects.filter(id__in=ids))
    return len(ids)


@transaction.atomic
def do_keep(user_id: int, id: UUID, days: int | None) -> None:
    """Set a conversation's own days; None: as the site says. Raises Refusal."""
    home = access_conversation(user_id, id)
    if days is not None and not 1 <= days <= MAX_DAYS:
        raise Refusal("bad_frame", f"days={days}: must be from 1 to {MAX_DAYS:,}, or null.")
    Keep.objects.update_or_create(conversation=home, defaults={"days": days})


def kept_days(user_id: int, id: UUID) -> int | None:
    """A conversation's own days. Raises Refusal `not_found`."""
    home = access_conversation(user_id, id)
    return Keep.objects.filter(conversation=home).values_list("days", flat=True).first()


def _untouched_since(limit: datetime) -> Q:
    arrived = Q(keep=None) | Q(keep__since=None) | Q(keep__since__lt=limit)
    return Q(updated_at__lt=limit) & arrived
