"""Batch and Item. A batch is a conversation whose questions all stand at its root, one for each document.

So everything that holds for conversations holds for batches: deletion and undo, search, share links, export;
and every answer can be gone on from.
"""

from __future__ import annotations

import uuid
from typing import Any

from django.db import models
from django.utils import timezone

from chatsite.attachments.models import Attachment
from chatsite.conversations.models import Conversation
from chatsite.generations.models import Generation


class Batch(models.Model):
    """`waits_for` is the code of the refusal that holds its next item back; empty where nothing does."""

    conversation = models.OneToOneField(Conversation, models.CASCADE, primary_key=True, related_name="batch")
    instruction = models.TextField()
    sampling: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(default=dict)
    waits_for = models.CharField(max_length=20, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"batch {self.pk}"


class Item(models.Model):
    """One document. `waiting` until a worker has submitted it; from then on `generation` says how it stands.

    `client_id` makes submitting idempotent: a worker that dies in between submits the same again. `code` and
    `message` say why a `refused` one cannot be asked.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        SUBMITTED = "submitted"
        REFUSED = "refused"
        CANCELLED = "cancelled"
        UNREADABLE = "unreadable"

    batch = models.ForeignKey(Batch, models.CASCADE, related_name="items")
    position = models.PositiveSmallIntegerField()
    attachment = models.ForeignKey(Attachment, models.CASCADE, related_name="batch_items")
    beginning = models.BooleanField(default=False)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    client_id = models.UUIDField(default=uuid.uuid4)
    generation = models.ForeignKey(
        Generation, models.SET_NULL, null=True, blank=True, related_name="batch_items"
    )
    code = models.CharField(max_length=20, blank=True)
    message = models.TextField(blank=True)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["batch", "position"], name="batch_item_place"),
            models.CheckConstraint(
                condition=models.Q(state__in=("waiting", "submitted", "refused", "cancelled", "unreadable")),
                name="batch_item_state",
            ),
        ]
        indexes = [
            # The worker looks every second at the few that wait.
            models.Index(fields=["id"], name="batch_item_waiting", condition=models.Q(state="waiting"))
        ]

    def __str__(self) -> str:
        return f"{self.position} of {self.batch_id}"
