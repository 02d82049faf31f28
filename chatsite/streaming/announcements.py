"""The announcement frame, made from the current announcement."""

from __future__ import annotations

from django.utils import timezone

from chatsite.announcements.models import current_announcement
from chatsite.streaming.frames import Announcement


def current_announcement_frame() -> Announcement | None:
    """What is to be shown now, from the database."""
    notice = current_announcement(timezone.now())
    return Announcement(notice.pk, notice.text, notice.important) if notice else None
