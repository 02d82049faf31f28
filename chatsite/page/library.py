"""Prompts, presets and personal instructions over HTTP: list, keep, delete."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse

from chatsite.conversations.models import Instructions, Preset, Prompt
from chatsite.errors import Refusal
from chatsite.generations.content import check_characters
from chatsite.json_api import answer, api, body, user_id

MAX_KEPT = 200
"""Prompts or presets of one person: a library that still fits a menu."""

Row = TypeVar("Row", Prompt, Preset)

MAX_TEXT_CHARS = 32_768
"""Of a prompt or of instructions: a long letter."""

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=60, pattern=r"\S")]
Text = Annotated[str, msgspec.Meta(max_length=MAX_TEXT_CHARS)]


class PromptForm(msgspec.Struct, forbid_unknown_fields=True):
    """A prompt as its owner writes it."""

    name: Name
    content: Text
    shared: bool = False


class PresetForm(msgspec.Struct, forbid_unknown_fields=True):
    """A preset as its owner writes it; null takes the site's default."""

    name: Name
    system: Text = ""
    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None
    max_tokens: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] | None = None


class InstructionsForm(msgspec.Struct, forbid_unknown_fields=True):
    """What the model shall always know, and whether it names new conversations; what is left out stays."""

    text: Text | None = None
    titles: bool | None = None


@api("GET", "POST")
def prompts(request: HttpRequest) -> HttpResponse:
    """One's own prompts and everybody's shared ones, by name; or a new one."""
    owner = user_id(request)
    if request.method == "POST":
        return answer(prompt_item(_keep(Prompt(owner_id=owner), body(request, PromptForm)), owner), 201)
    rows = (
        Prompt.objects.filter(Q(owner_id=owner) | Q(shared=True))
        .select_related("owner")
        .order_by("name", "id")
    )
    return answer({"prompts": [prompt_item(row, owner) for row in rows]})


@api("PUT", "DELETE")
def prompt(request: HttpRequest, id: UUID) -> HttpResponse:
    """Change or delete one's own."""
    found = _own(Prompt, user_id(request), id)
    if request.method == "PUT":
        return answer(prompt_item(_keep(found, body(request, PromptForm)), found.owner_id))
    found.delete()
    return HttpResponse(status=204)


@api("GET", "POST")
def presets(request: HttpRequest) -> HttpResponse:
    """One's own presets by name; or a new one."""
    owner = user_id(request)
    if request.method == "POST":
        return answer(preset_item(_keep(Preset(owner_id=owner), body(request, PresetForm))), 201)
    rows = Preset.objects.filter(owner_id=owner).order_by("name", "id")
    return answer({"presets": [preset_item(row) for row in rows]})


@api("PUT", "DELETE")
def preset(request: HttpRequest, id: UUID) -> HttpResponse:
    """Change or delete one's own. Conversations that began with it keep their words."""
    found = _own(Preset, user_id(request), id)
    if request.method == "PUT":
        return answer(preset_item(_keep(found, body(request, PresetForm))))
    found.delete()
    return HttpResponse(status=204)


@api("GET", "PUT")
def instructions(request: HttpRequest) -> HttpResponse:
    """What this person always wants of the model. `site_titles`: whether the site gives titles at all."""
    owner = user_id(request)
    if request.method == "PUT":
        form = body(request, InstructionsForm)
        check_characters(form.text or "", MAX_TEXT_CHARS)
        changed = msgspec.structs.asdict(form)
        kept = {name: value for name, value in changed.items() if value is not None}
        Instructions.objects.update_or_create(owner_id=owner, defaults=kept)
    row = Instructions.objects.filter(owner_id=owner).first() or Instructions()
    return answer({"text": row.text, "titles": row.titles, "site_titles": settings.TITLES})


def prompt_item(row: Prompt, reader: int) -> dict[str, Any]:
    mine = row.owner_id == reader
    by = "" if mine else row.owner.display_name
    return {
        "id": str(row.id),
        "name": row.name,
        "content": row.content,
        "shared": row.shared,
        "mine": mine,
        "by": by,
    }


def preset_item(row: Preset) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "name": row.name,
        "system": row.system,
        "temperature": row.temperature,
        "top_p": row.top_p,
        "max_tokens": row.max_tokens,
    }


def _own(kind: type[Row], owner: int, id: UUID) -> Row:
    found = kind._default_manager.filter(owner_id=owner, id=id).first()
    if found is None:
        raise Refusal("not_found", "There is no such entry of yours.")
    return found


def _keep(row: Row, form: msgspec.Struct) -> Row:
    """Write the form into the row. Raises Refusal where the name is taken or the library is full."""
    for field, value in msgspec.structs.asdict(form).items():
        if isinstance(value, str):
            check_characters(value, len(value))
        setattr(row, field, value)
    others = type(row)._default_manager.filter(owner_id=row.owner_id).exclude(id=row.id)
    if others.count() >= MAX_KEPT:
        raise Refusal("bad_frame", f"At most {MAX_KEPT} are kept. Delete one that you no longer use.")
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as taken:
        raise Refusal(
            "bad_frame", f"You have one named {row.name!r} already. Choose another name."
        ) from taken
    return row
