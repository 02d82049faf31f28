"""Attachment: one document of one person. Attached: its place in one message."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone

from chatsite.conversations.models import Conversation, Message


class Attachment(models.Model):
    """A document. `conversation` is where it was sent first; None while it waits in a composer.

    It goes with its conversation, so it belongs to one only. `text` is what was read out of the file, as
    prompts get it; `tokens` is its size there, by the model's own tokenizer. `reason`, with its `figures`,
    says why an `unreadable` one has no text; its file is gone. `encoding` is what a text's bytes were taken
    for, where that was guessed or chosen; of `pages`, `sparse_pages` hold almost no text. The file itself:
    storage.file_path.
    """

    class Status(models.TextChoices):
        UPLOADING = "uploading"
        READY = "ready"
        UNREADABLE = "unreadable"

    class Kind(models.TextChoices):
        TEXT = "text"
        PDF = "pdf"
        DOCX = "docx"
        HTML = "html"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="attachments")
    conversation = models.ForeignKey(
        Conversation, models.CASCADE, null=True, blank=True, related_name="attachments"
    )
    name = models.CharField(max_length=255)
    kind = models.CharField(max_length=4, choices=Kind, blank=True)
    size = models.PositiveBigIntegerField()
    status = models.CharField(max_length=10, choices=Status, default=Status.UPLOADING)
    reason = models.CharField(max_length=20, blank=True)
    figures: models.JSONField[dict[str, int], dict[str, int]] = models.JSONField(default=dict)
    encoding = models.CharField(max_length=20, blank=True, default="")
    pages = models.PositiveIntegerField(null=True, blank=True)
    sparse_pages = models.PositiveIntegerField(default=0)
    chars = models.PositiveIntegerField(default=0)
    tokens = models.PositiveIntegerField(default=0)
    text = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status__in=("uploading", "ready", "unreadable")), name="attachment_status"
            )
        ]
        indexes = [
            # The cleanup looks at the few that were never sent.
            models.Index(
                fields=["created_at"], name="attachment_unsent", condition=models.Q(conversation=None)
            )
        ]

    def __str__(self) -> str:
        return self.name


class Attached(models.Model):
    """A document in a message, the `position`th from 0. `chars`: so many from its beginning; None: all."""

    message = models.ForeignKey(Message, models.CASCADE, related_name="attached")
    attachment = models.ForeignKey(Attachment, models.CASCADE, related_name="uses")
    position = models.PositiveSmallIntegerField()
    chars = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["message", "attachment"], name="attached_once")]

    def __str__(self) -> str:
        return f"{self.attachment_id} in {self.message_id}"
