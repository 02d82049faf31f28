"""Announcement, a banner that all users see for a time."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Announcement(models.Model):
    """A banner of plain text. The newest one that is due is shown."""

    text = models.CharField(_("text"), max_length=300)
    important = models.BooleanField(_("important"), default=False)
    starts_at = models.DateTimeField(_("from"), default=timezone.now)
    ends_at = models.DateTimeField(_("until"), null=True, blank=True)

    class Meta:
        verbose_name = _("announcement")
        verbose_name_plural = _("announcements")
        ordering = ["-starts_at"]

    def __str__(self) -> str:
        return self.text


def current_announcement(now: datetime) -> Announcement | None:
    """The announcement to show now, if any."""
    due = Announcement.objects.filter(Q(ends_at=None) | Q(ends_at__gt=now), starts_at__lte=now)
    return due.order_by("-starts_at").first()
