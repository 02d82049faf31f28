"""Prompts, presets and personal instructions over HTTP: list, save, delete."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from msgspec.structs import asdict

from chatsite.api.shapes import PresetItem, PromptItem
from chatsite.conversations.library import (
    MAX_TEXT_CHARS,
    access_entry,
    do_delete_entry,
    do_instruct,
    do_save,
    instructions_of,
    presets_of,
    prompts_for,
)
from chatsite.conversations.models import Preset, Prompt
from chatsite.json_view import api, json_response, parse_body, user_id

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
        made = do_save(Prompt(owner_id=owner), asdict(parse_body(request, PromptForm)))
        return json_response(prompt_item(made, owner), 201)
    return json_response({"prompts": [prompt_item(row, owner) for row in prompts_for(owner)]})


@api("PUT", "DELETE")
def prompt(request: HttpRequest, id: UUID) -> HttpResponse:
    """Change or delete one's own."""
    owner = user_id(request)
    if request.method == "PUT":
        found = access_entry(Prompt, owner, id)
        return json_response(prompt_item(do_save(found, asdict(parse_body(request, PromptForm))), owner))
    do_delete_entry(Prompt, owner, id)
    return HttpResponse(status=204)


@api("GET", "POST")
def presets(request: HttpRequest) -> HttpResponse:
    """One's own presets by name; or a new one."""
    owner = user_id(request)
    if request.method == "POST":
        return json_response(
            preset_item(do_save(Preset(owner_id=owner), asdict(parse_body(request, PresetForm)))), 201
        )
    return json_response({"presets": [preset_item(row) for row in presets_of(owner)]})


@api("PUT", "DELETE")
def preset(request: HttpRequest, id: UUID) -> HttpResponse:
    """Change or delete one's own. Conversations that began with it keep their words."""
    owner = user_id(request)
    if request.method == "PUT":
        found = access_entry(Preset, owner, id)
        return json_response(preset_item(do_save(found, asdict(parse_body(request, PresetForm)))))
    do_delete_entry(Preset, owner, id)
    return HttpResponse(status=204)


@api("GET", "PUT")
def instructions(request: HttpRequest) -> HttpResponse:
    """What this person always wants of the model. `site_titles`: whether the site gives titles at all."""
    owner = user_id(request)
    if request.method == "PUT":
        form = parse_body(request, InstructionsForm)
        do_instruct(owner, form.text, form.titles)
    row = instructions_of(owner)
    return json_response({"text": row.text, "titles": row.titles, "site_titles": settings.TITLES})


def prompt_item(row: Prompt, reader: int) -> PromptItem:
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


def preset_item(row: Preset) -> PresetItem:
    return {
        "id": str(row.id),
        "name": row.name,
        "system": row.system,
        "temperature": row.temperature,
        "top_p": row.top_p,
        "max_tokens": row.max_tokens,
    }
