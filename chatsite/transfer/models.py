"""ImportRun: an import under way. Arrival: a conversation that it wrote, hidden until its end."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone

from chatsite.conversations.models import Conversation


class ImportRun(models.Model):
    """One import: writing → revealed, or abandoned. The row goes when nothing is left to do for it.

    Whoever writes for it checks in the same transaction that it is `writing` still. `alive_at` is its
    heartbeat: one that has none for long is abandoned, and what it wrote is erased.
    """

    class Status(models.TextChoices):
        WRITING = "writing"
        REVEALED = "revealed"
        ABANDONED = "abandoned"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="import_runs")
    status = models.CharField(max_length=9, choices=Status, default=Status.WRITING)
    alive_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"import {self.status} {self.id}"


class Arrival(models.Model):
    """A hidden conversation of an import. `continues`: its messages are to follow those of `home`."""

    run = models.ForeignKey(ImportRun, models.CASCADE, related_name="arrivals")
    conversation = models.OneToOneField(
        Conversation, models.CASCADE, primary_key=True, related_name="arrival"
    )
    continues = models.BooleanField(default=False)
    home = models.ForeignKey(Conversation, models.SET_NULL, null=True, related_name="continuations")

    def __str__(self) -> str:
        return f"arrival of {self.conversation_id}"
