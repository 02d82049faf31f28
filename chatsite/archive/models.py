"""Job: an export or an import under way. Keep, RetentionPolicy: how long conversations stay. Erasure."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from chatsite.conversations.models import Conversation

MAX_DAYS = 36_500
"""A hundred years: forever is written as no limit at all."""


class Job(models.Model):
    """One export or import, run by a process of its own; its file lies in the data directory for a day.

    `owner` is whose conversations they are, `asked_by` who wanted it: the same person, or an administrator.
    `alive_at` is the running process's heartbeat. `request` says what is wanted, by `kind`.
    """

    class Kind(models.TextChoices):
        EXPORT = "export"
        IMPORT = "import"

    class Status(models.TextChoices):
        RECEIVING = "receiving"
        QUEUED = "queued"
        RUNNING = "running"
        FINISHED = "finished"
        FAILED = "failed"
        CANCELLED = "cancelled"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="archive_jobs")
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=6, choices=Kind)
    status = models.CharField(max_length=9, choices=Status, default=Status.QUEUED)
    request: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(default=dict)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    result: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(default=dict)
    message = models.TextField(blank=True)
    file = models.CharField(max_length=200, blank=True)
    size = models.PositiveBigIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    alive_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            # Two clicks are one export: a person's next one begins when this one has ended.
            models.UniqueConstraint(
                fields=["asked_by"],
                condition=models.Q(status__in=["receiving", "queued", "running"]),
                name="archive_job_one_at_a_time",
            )
        ]
        indexes = [models.Index(fields=["owner", "-created_at"], name="archive_job_of_owner")]

    def __str__(self) -> str:
        return f"{self.kind} {self.status} {self.id}"


class Keep(models.Model):
    """How long one conversation stays: `days` since it was last written in, or since it came in here.

    Its own `days` may end it sooner than the policy, not later. `since`: when it was imported, so that an
    old conversation is not erased on arrival.
    """

    conversation = models.OneToOneField(Conversation, models.CASCADE, primary_key=True, related_name="keep")
    days = models.PositiveIntegerField(null=True, blank=True)
    since = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.days} days"


class Erasure(models.Model):
    """An account that is being erased. The row goes with the account, or when that is activated again."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="erasure"
    )
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    asked_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"erasure of {self.user_id}"


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
        verbose_name = _("retention policy")
        verbose_name_plural = _("retention policy")
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="retention_one_row")]

    def __str__(self) -> str:
        return str(_("for ever")) if self.days is None else str(_("%(days)s days") % {"days": self.days})
