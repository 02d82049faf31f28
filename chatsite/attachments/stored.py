"""How much a person has stored: the files of documents, and the text that came in by import."""

from __future__ import annotations

from django.conf import settings
from django.db.models import Sum

from chatsite.attachments.models import Attachment
from chatsite.conversations.models import Conversation

MEGABYTE = 1024 * 1024


def stored_bytes(user_id: int) -> int:
    """Bytes that count toward this person's storage."""
    files = Attachment.objects.filter(owner_id=user_id).aggregate(bytes=Sum("size"))["bytes"] or 0
    text = Conversation.objects.filter(owner_id=user_id).aggregate(bytes=Sum("imported_bytes"))["bytes"] or 0
    return int(files + text)


def storage_limit(plan_mb: int | None) -> int:
    """Bytes that one person may store: what the site allows, and their plan, where it says so."""
    most = settings.MAX_STORED_MB if plan_mb is None else min(settings.MAX_STORED_MB, plan_mb)
    return int(most) * MEGABYTE
