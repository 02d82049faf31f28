"""What is announced to everybody, as the page is told of it."""

from __future__ import annotations

from django.utils import timezone

from chatsite.notices.models import current_announcement
from chatsite.streaming.frames import Announcement


def announced() -> Announcement | None:
    """What is to be shown now, from the database."""
    notice = current_announcement(timezone.now())
    return Announcement(notice.pk, notice.text, notice.important) if notice else None
