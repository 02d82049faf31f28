"""What a person has beside conversations: instructions, prompts, presets. Part of "export all"."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from django.db import transaction
from msgspec import Meta

from chatsite.accounts.models import User
from chatsite.archive.checking import check_text
from chatsite.archive.schema import PresetRecord, Record, Text
from chatsite.conversations.models import Instructions, Preset, Prompt


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
    """Add what is missing, by name; what the person has here stays as it is."""
    Prompt.objects.bulk_create(
        [Prompt(owner_id=owner, name=one.name, content=one.content, shared=False) for one in record.prompts],
        ignore_conflicts=True,
    )
    Preset.objects.bulk_create(
        [Preset(owner_id=owner, **msgspec.structs.asdict(one)) for one in record.presets],
        ignore_conflicts=True,
    )
    if record.instructions:
        Instructions.objects.get_or_create(owner_id=owner, defaults={"text": record.instructions})
