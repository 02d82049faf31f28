"""Conversation and Message. A conversation is a tree: every message knows the one it follows."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone

TITLE_CHARS = 60
"""A line of the sidebar."""


class Conversation(models.Model):
    """`updated_at` orders the sidebar. `deleted_at` set: gone for everybody, until undone or purged."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="conversations")
    title = models.CharField(max_length=200)
    pinned = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["owner", "-pinned", "-updated_at", "-id"], name="conversation_list")]

    def __str__(self) -> str:
        return self.title


class Message(models.Model):
    """One turn, as typed or as made. The text is data; only readers and prompts interpret it."""

    class Role(models.TextChoices):
        USER = "user"
        ASSISTANT = "assistant"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="messages")
    parent = models.ForeignKey("self", models.CASCADE, null=True, blank=True, related_name="children")
    role = models.CharField(max_length=9, choices=Role)
    content = models.TextField()
    reasoning = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["conversation", "created_at"], name="message_order")]

    def __str__(self) -> str:
        return f"{self.role} {self.id}"


class SearchEntry(models.Model):
    """A title (`message` None) or a part of a message that can be found. Its terms lie in the search index."""

    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="search_entries")
    message = models.ForeignKey(Message, models.CASCADE, null=True, blank=True, related_name="search_entries")

    def __str__(self) -> str:
        return f"entry {self.pk}"


def title_from(content: str) -> str:
    """A title made of the first question: its first words, on one line."""
    line = " ".join(content.split())
    return line if len(line) <= TITLE_CHARS else line[: TITLE_CHARS - 1].rstrip() + "…"
