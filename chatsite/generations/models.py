"""Generation: one answer being made, from the question's commit to its end. And its owner's epoch."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from chatsite.accounts.models import ApiKey
from chatsite.conversations.models import Conversation, Message


class GenerationStatus(models.TextChoices):
    """queued → running → one of the rest. A running row that made no text may go back to queued."""

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    INTERRUPTED = "interrupted"


ACTIVE = (GenerationStatus.QUEUED, GenerationStatus.RUNNING)


class Generation(models.Model):
    """The job. `client_id` makes a submit idempotent.

    `seq` and `completion_tokens` are the stream position and the size of the recorded text, which is
    `answer.content`; `attempt` and `epoch` name the one inference process that may write it; times
    in `usage` are seconds. `fault`: whose an ending is that is neither an answer nor a wish
    (inference/request.py). `first_message`: where the prompt begins in a conversation that has outgrown the
    context; None: at its root. `api_key` is the program's key, None for a person; `batch`: nobody sits in
    front of it, so it may wait. `imported`: made elsewhere, and so never booked here. `titles`: the
    conversation that this one makes a title for.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    client_id = models.UUIDField()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="generations")
    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="generations")
    answer = models.OneToOneField(Message, models.CASCADE, related_name="generation")
    api_key = models.ForeignKey(ApiKey, models.SET_NULL, null=True, blank=True, related_name="generations")
    batch = models.BooleanField(default=False)
    titles = models.ForeignKey(
        Conversation, models.CASCADE, null=True, blank=True, related_name="title_generations"
    )
    imported = models.BooleanField(default=False)

    status = models.CharField(max_length=11, choices=GenerationStatus, default=GenerationStatus.QUEUED)
    cancel_requested = models.BooleanField(default=False)
    attempt = models.PositiveIntegerField(default=0)
    epoch = models.PositiveBigIntegerField(default=0)
    seq = models.PositiveIntegerField(default=0)

    sampling: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(default=dict)
    new_chars = models.PositiveIntegerField()
    prompt_tokens = models.PositiveIntegerField()
    first_message = models.UUIDField(null=True, blank=True)
    max_tokens = models.PositiveIntegerField()
    completion_tokens = models.PositiveIntegerField(default=0)

    finish_reason = models.CharField(max_length=11, blank=True)
    message = models.TextField(blank=True)
    fault = models.CharField(max_length=7, blank=True, default="")
    usage: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(default=dict)

    created_at = models.DateTimeField(default=timezone.now)
    claimed_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "client_id"], name="generation_submitted_once"),
            models.CheckConstraint(
                condition=models.Q(status__in=GenerationStatus.values), name="generation_status"
            ),
        ]
        indexes = [
            # The worker's poll and the door's counts look at the few active rows only. Not a partial index:
            # SQLite does not see that `IN (?, ?)` is its condition, and would read the whole table.
            models.Index(fields=["status", "created_at"], name="generation_status_time"),
            models.Index(fields=["user", "-created_at"], name="generation_by_user"),
            # The console's latencies of the last minutes.
            models.Index(fields=["-finished_at"], name="generation_ended"),
        ]

    def __str__(self) -> str:
        return f"{self.status} {self.id}"


class Ownership(models.Model):
    """One row: the epoch of the inference process that owns the queue. A younger owner has a higher one.

    `heartbeat_at`: its last sign of life, by the database's clock; None once it has left.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    epoch = models.PositiveBigIntegerField(default=0)
    heartbeat_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="ownership_one_row")]

    def __str__(self) -> str:
        return f"epoch {self.epoch}"


class Admission(models.Model):
    """One row: whether new answers may start, and if not, what people are told of it."""

    class State(models.TextChoices):
        """Draining is a pause for maintenance: the console says when nothing runs any more."""

        OPEN = "open"
        PAUSED = "paused"
        DRAINING = "draining"

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="admission_one_row")]

    def __str__(self) -> str:
        return self.state
