"""Export and import of a person's instructions, prompts and presets, a part of "export all"."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from django.db import transaction
from msgspec import Meta

from chatsite.accounts.models import User
from chatsite.conversations.library import MAX_KEPT
from chatsite.conversations.models import Instructions, Preset, Prompt
from chatsite.transfer.schema import PresetRecord, Record, Text
from chatsite.transfer.validation import check_text


class PromptRecord(Record, frozen=True, kw_only=True):
    """A text of the prompt library."""

    name: Annotated[str, Meta(min_length=1, max_length=60)]
    content: Text
    shared: bool = False


class AccountRecord(Record, frozen=True, kw_only=True):
    """`email`, `name` and `joined_at` say whose export it is; an import leaves them as they are."""

    format: Literal["chatsite.account"] = "chatsite.account"
    version: Literal[1] = 1
    email: str
    name: str = ""
    joined_at: datetime
    instructions: Text = ""
    prompts: list[PromptRecord] = []
    presets: list[PresetRecord] = []


def read_account(owner: int) -> AccountRecord:
    """This person's."""
    user = User.objects.get(pk=owner)
    own = Instructions.objects.filter(owner=user).first()
    return AccountRecord(
        email=user.email,
        name=user.name,
        joined_at=user.date_joined,
        instructions=own.text if own else "",
        prompts=[
            PromptRecord(name=one.name, content=one.content, shared=one.shared)
            for one in Prompt.objects.filter(owner=user).order_by("name")
        ],
        presets=[
            PresetRecord(
                name=one.name,
                system=one.system,
                temperature=one.temperature,
                top_p=one.top_p,
                max_tokens=one.max_tokens,
            )
            for one in Preset.objects.filter(owner=user).order_by("name")
        ],
    )


def check_account(record: AccountRecord, place: str) -> AccountRecord:
    """The record. Raises ImportRefusedError with the place of the first thing that cannot be stored."""
    check_text(f"{place}.instructions", record.instructions)
    for name, entries in (("prompts", record.prompts), ("presets", record.presets)):
        for number, entry in enumerate(entries):
            for field, value in msgspec.structs.asdict(entry).items():
                check_text(f"{place}.{name}[{number}].{field}", value if isinstance(value, str) else "")
    return record


@transaction.atomic
def do_store_account(owner: int, record: AccountRecord) -> None:
    """Add what is missing, by name, as far as a library goes; what the person has here stays as it is."""
    Prompt.objects.bulk_create(
        [
            Prompt(owner_id=owner, name=one.name, content=one.content, shared=False)
            for one in record.prompts[:MAX_KEPT]
        ],
        ignore_conflicts=True,
    )
    Preset.objects.bulk_create(
        [Preset(owner_id=owner, **msgspec.structs.asdict(one)) for one in record.presets[:MAX_KEPT]],
        ignore_conflicts=True,
    )
    if record.instructions:
        Instructions.objects.get_or_create(owner_id=owner, defaults={"text": record.instructions})


def do_find_preset(owner: int, record: PresetRecord) -> Preset:
    """The person's preset that is the same, else a new one; a name that is taken gets a number."""
    values = {
        "system": record.system,
        "temperature": record.temperature,
        "top_p": record.top_p,
        "max_tokens": record.max_tokens,
    }
    mine = Preset.objects.filter(owner_id=owner)
    same = mine.filter(name__startswith=record.name[:MAX_STEM], **values)
    if found := min(same, key=lambda one: (one.name != record.name, one.name), default=None):
        return found
    names = set(mine.values_list("name", flat=True))
    name, number = record.name, 2
    while name in names:
        name, number = f"{record.name[:MAX_STEM]} ({number})", number + 1
    return Preset.objects.create(owner_id=owner, name=name, **values)


MAX_STEM = 50
"""Leaves room for a number in a name of 60 characters."""
