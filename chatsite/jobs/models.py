"""Job: an export or an import under way."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone


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
        db_table = "archive_job"
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
