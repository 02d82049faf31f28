"""The library of a person: prompts, presets, and the instructions that always go with their questions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from chatsite.conversations.content import check_characters
from chatsite.conversations.models import Instructions, Preset, Prompt
from chatsite.database import lock_person
from chatsite.errors import Refusal
from chatsite.names import is_name, single_line

MAX_KEPT = 200
"""Prompts or presets of one person: a library that still fits a menu."""

MAX_TEXT_CHARS = 32_768
"""Of a prompt or of instructions: a long letter."""

Entry = TypeVar("Entry", Prompt, Preset)


def prompts_for(user_id: int) -> QuerySet[Prompt]:
    """One's own prompts and everybody's shared ones, by name."""
    rows = Prompt.objects.filter(Q(owner_id=user_id) | Q(shared=True))
    return rows.select_related("owner").order_by("name", "id")


def presets_of(user_id: int) -> QuerySet[Preset]:
    """One's own presets, by name."""
    return Preset.objects.filter(owner_id=user_id).order_by("name", "id")


def access_entry(kind: type[Entry], user_id: int, id: UUID) -> Entry:
    """One's own prompt or preset. Raises Refusal `not_found`."""
    found = kind._default_manager.filter(owner_id=user_id, id=id).first()
    if found is None:
        raise Refusal("not_found", "There is no such entry of yours.")
    return found


def do_save(entry: Entry, values: Mapping[str, object]) -> Entry:
    """Write these values into a new or an own entry.

    Raises Refusal where the name is taken or none, or the library is full.
    """
    for field, value in values.items():
        if isinstance(value, str):
            check_characters(value, len(value))
        setattr(entry, field, value)
    entry.name = single_line(entry.name)
    if not is_name(entry.name):
        raise Refusal("empty", "A name needs a visible character, and no control or direction override.")
    others = type(entry)._default_manager.filter(owner_id=entry.owner_id).exclude(id=entry.id)
    try:
        with transaction.atomic():
            lock_person(entry.owner_id)
            if others.count() >= MAX_KEPT:
                raise Refusal("bad_frame", f"At most {MAX_KEPT} are kept. Delete one that you no longer use.")
            entry.save()
    except IntegrityError as taken:
        raise Refusal(
            "bad_frame", f"You have one named {entry.name!r} already. Choose another name."
        ) from taken
    return entry


def do_delete_entry(kind: type[Entry], user_id: int, id: UUID) -> None:
    """Delete one's own prompt or preset. Raises Refusal `not_found`."""
    access_entry(kind, user_id, id).delete()


def instructions_of(user_id: int) -> Instructions:
    """This person's, or the empty ones that everybody begins with."""
    return Instructions.objects.filter(owner_id=user_id).first() or Instructions()


def do_instruct(user_id: int, text: str | None, titles: bool | None) -> None:
    """Change the instructions; None: leave it as it is. Raises Refusal for text that nobody can type."""
    check_characters(text or "", MAX_TEXT_CHARS)
    given = {"text": text, "titles": titles}
    changed = {name: value for name, value in given.items() if value is not None}
    Instructions.objects.update_or_create(owner_id=user_id, defaults=changed)
