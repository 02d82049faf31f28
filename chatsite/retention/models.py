"""RetentionPolicy: how long the site keeps conversations. ConversationRetention: the same for one of them."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from chatsite.conversations.models import Conversation

MAX_DAYS = 36_500
"""A hundred years: forever is written as no limit at all."""


class ConversationRetention(models.Model):
    """How long one conversation stays: `days` since it was last written in, or since it came in here.

    Its own `days` may end it sooner than the policy, not later. `since`: when it was imported, so that an
    old conversation is not erased on arrival.
    """

    conversation = models.OneToOneField(
        Conversation, models.CASCADE, primary_key=True, related_name="retention"
    )
    days = models.PositiveIntegerField(null=True, blank=True)
    since = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "archive_keep"

    def __str__(self) -> str:
        return f"{self.days} days"


class RetentionPolicy(models.Model):
    """One row: how long the site keeps conversations. `days` empty: for ever."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    days = models.PositiveIntegerField(
        _("days"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_DAYS)],
        help_text=_("Conversations in which nobody wrote for so long are erased. Empty: never."),
    )
    spare_pinned = models.BooleanField(_("keep pinned conversations"), default=True)

    class Meta:
        db_table = "archive_retentionpolicy"
        verbose_name = _("retention policy")
        verbose_name_plural = _("retention policy")
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="retention_one_row")]

    def __str__(self) -> str:
        return str(_("for ever")) if self.days is None else str(_("%(days)s days") % {"days": self.days})
