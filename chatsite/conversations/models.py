"""Conversation and Message. A conversation is a tree: every message knows the one it follows."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from django.conf import settings
from django.db import models
from django.utils import timezone

TITLE_CHARS = 60
"""A line of the sidebar."""


HIDDEN = datetime(9999, 1, 1, tzinfo=UTC)
"""`deleted_at` of a conversation that an import is still writing: not there yet, never due for erasure."""


class TitleSource(models.TextChoices):
    """Where a title comes from. wanted → asked → model, or back to words; what a person wrote stays.

    `none` is the conversation in which a title is asked for: it has no title, and nobody sees it.
    """

    WORDS = "words"
    WANTED = "wanted"
    ASKED = "asked"
    MODEL = "model"
    PERSON = "person"
    NONE = "none"


class Conversation(models.Model):
    """`updated_at` orders the sidebar. `deleted_at` set: gone for everybody, until undone or purged.

    `system` is the first turn of every prompt here, fixed when the conversation began: its date does not
    change under it, and the engine's prefix cache stays valid. `temporary`: listed and found
    nowhere, a person's or a program's, and erased soon after its last answer has ended. `imported_bytes`:
    of its text, what came in by import; it counts toward the owner's storage.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="conversations")
    title = models.CharField(max_length=200)
    naming = models.CharField(max_length=6, choices=TitleSource, default=TitleSource.WORDS)
    pinned = models.BooleanField(default=False)
    archived = models.BooleanField(default=False)
    folder = models.CharField(max_length=60, blank=True)
    temporary = models.BooleanField(default=False)
    system = models.TextField(blank=True)
    preset = models.ForeignKey("Preset", models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)
    deleted_at = models.DateTimeField(null=True, blank=True)
    imported_bytes = models.PositiveBigIntegerField(default=0)

    class Meta:
        indexes = [
            models.Index(fields=["owner", "-pinned", "-updated_at", "-id"], name="conversation_list"),
            # Who gives titles looks every second for the few that wait for one.
            models.Index(fields=["naming"], name="conversation_naming"),
            # The cleanup looks at the few temporary ones only.
            models.Index(
                fields=["created_at"], name="conversation_temporary", condition=models.Q(temporary=True)
            ),
        ]

    def __str__(self) -> str:
        return self.title


class Message(models.Model):
    """One turn, as typed or as made. The text is data; only readers and prompts interpret it.

    `deleted_at` set: gone with all that follows it, until undone or erased. So what stands before a message
    that is there is there too.
    """

    class Role(models.TextChoices):
        SYSTEM = "system"
        RAW = "raw"
        USER = "user"
        ASSISTANT = "assistant"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="messages")
    parent = models.ForeignKey("self", models.CASCADE, null=True, blank=True, related_name="children")
    role = models.CharField(max_length=9, choices=Role)
    content = models.TextField()
    reasoning = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["conversation", "created_at"], name="message_order"),
            # The cleanup looks at the few deleted ones only.
            models.Index(
                fields=["deleted_at"], name="message_deleted", condition=models.Q(deleted_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.id}"


class SearchEntry(models.Model):
    """A title (`message` None) or a part of a message that can be found. Its terms lie in the index.

    `start`: characters of the message before the part.
    """

    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="search_entries")
    message = models.ForeignKey(Message, models.CASCADE, null=True, blank=True, related_name="search_entries")
    start = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"entry {self.pk}"


class Feedback(models.Model):
    """What its reader thinks of an answer: 1 good, -1 bad."""

    message = models.OneToOneField(Message, models.CASCADE, related_name="feedback")
    value = models.SmallIntegerField()
    comment = models.TextField(blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(value__in=(1, -1)), name="feedback_value")]

    def __str__(self) -> str:
        return f"{self.value:+d} {self.message_id}"


class Share(models.Model):
    """A read-only link to one branch as it stood. `public`: for whoever has it; else for who signs in."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="shares")
    leaf = models.ForeignKey(Message, models.CASCADE, related_name="shares")
    public = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"share {self.id}"


class Prompt(models.Model):
    """A text of the prompt library; `shared` ones are everybody's to use and their owner's to change."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="prompts")
    name = models.CharField(max_length=60)
    content = models.TextField()
    shared = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="prompt_name")]

    def __str__(self) -> str:
        return self.name


class Preset(models.Model):
    """A way to be answered: a system prompt and sampling; None takes the site's default."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="presets")
    name = models.CharField(max_length=60)
    system = models.TextField(blank=True)
    temperature = models.FloatField(null=True, blank=True)
    top_p = models.FloatField(null=True, blank=True)
    max_tokens = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="preset_name")]

    def __str__(self) -> str:
        return self.name


class Instructions(models.Model):
    """What a person always wants of the model: their own system prompt; whether it names conversations."""

    owner = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="instructions")
    text = models.TextField(blank=True)
    titles = models.BooleanField(default=True)

    def __str__(self) -> str:
        return f"instructions of {self.owner_id}"


def title_from(content: str) -> str:
    """A title made of the first question: its first words, on one line."""
    line = " ".join(content.split())
    return line if len(line) <= TITLE_CHARS else line[: TITLE_CHARS - 1].rstrip() + "…"
