"""The system prompt of a new conversation: the site's, the person's and the preset's, with today's date."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import BigIntegerField, QuerySet
from django.utils import timezone

from chatsite.conversations.models import Instructions, Preset
from chatsite.errors import Refusal
from chatsite.prepared_query import PreparedQuery

DATE = "{{date}}"
"""Stands for the day on which the conversation begins, as in Sunday, 22 November 2026."""


def compose_system_prompt(parts: list[str], now: datetime) -> str:
    """The parts that say something, one under the other, with the date filled in. Pure."""
    said = [part.strip() for part in parts if part.strip()]
    return "\n\n".join(said).replace(DATE, f"{now:%A}, {now.day} {now:%B} {now.year}")


def access_preset(user_id: int, preset: UUID) -> Preset:
    """This person's preset. Raises Refusal `not_found`."""
    found = Preset.objects.filter(owner_id=user_id, id=preset).first()
    if found is None:
        raise Refusal("not_found", "There is no such preset.")
    return found


def system_prompt_of(user_id: int, preset: UUID | None) -> str:
    """What a conversation that begins now is told first; empty where nobody said anything."""
    own = _INSTRUCTIONS.first(user_id=user_id)
    chosen = access_preset(user_id, preset).system if preset else ""
    said = [settings.SYSTEM_PROMPT, own.text if own else "", chosen]
    return compose_system_prompt(said, timezone.localtime())


def _instructions_of(user_id: Any) -> QuerySet[Instructions]:
    return Instructions.objects.filter(owner_id=user_id)


_INSTRUCTIONS = PreparedQuery(_instructions_of, user_id=BigIntegerField())
