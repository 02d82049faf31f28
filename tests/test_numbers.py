"""Numbers have ends: every integer from outside has a range, and one beyond it is refused by name."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from asgiref.sync import sync_to_async
from django.db import models
from django.test import Client
from msgspec import inspect

from chatsite.attachments.models import Attachment
from chatsite.conversations.models import Conversation
from chatsite.generations.context import context_limit
from chatsite.generations.models import Generation
from chatsite.quotas.plans import EffectiveLimits
from inference.request import MAX_TOKENS, MaxTokens
from tests.support.people import make_user
from tests.support.socket import open_socket
from tests.support.source import modules

LARGEST = 2**63 - 1
"""That the databases hold."""

BEYOND = [2**31, 2**53, 2**63, 2**64, 10**30, 0, -1, -(2**63)]


def inbound() -> Iterator[type[msgspec.Struct]]:
    """Schemas of frames, requests and files: those that refuse unknown fields, and other people's exports."""
    for name in modules("chatsite"):
        if ".migrations" in name or ".management" in name:
            continue
        for found in vars(importlib.import_module(name)).values():
            if (
                isinstance(found, type)
                and issubclass(found, msgspec.Struct)
                and found.__module__ == name
                and (found.__struct_config__.forbid_unknown_fields or ".sources." in name)
            ):
                yield found


def endless(kind: Any) -> bool:
    """Whether some integer within has no end, or one that no database holds."""
    match kind:
        case inspect.IntType(gt=gt, ge=ge, lt=lt, le=le):
            ends = [end for end in (gt, ge, lt, le) if end is not None]
            return len(ends) < 2 or any(abs(end) > LARGEST + 1 for end in ends)
        case inspect.UnionType(types=types) | inspect.TupleType(item_types=types):
            return any(map(endless, types))
        case inspect.ListType() | inspect.SetType() | inspect.VarTupleType() | inspect.FrozenSetType():
            return endless(kind.item_type)
        case inspect.DictType():
            return endless(kind.value_type)
    return False


def test_every_integer_of_a_frame_a_request_or_a_file_has_its_range() -> None:
    schemas = list(inbound())
    assert len(schemas) > 50
    wrong = [
        f"{schema.__module__}.{schema.__name__}.{field.name}"
        for schema in schemas
        for field in inspect.type_info(schema).fields  # type: ignore[attr-defined]
        if endless(field.type)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("hint", [int, int | None, list[int], tuple[int, str], dict[str, int]])
def test_the_check_finds_an_integer_without_end(hint: Any) -> None:
    assert endless(inspect.type_info(hint))


def test_the_check_takes_one_with_two_ends() -> None:
    assert not endless(inspect.type_info(MaxTokens))


@pytest.fixture
async def socket(transactional_db: None):
    opened = await open_socket(await sync_to_async(make_user)("alice"))
    yield opened
    await opened.disconnect()


@pytest.mark.parametrize("number", BEYOND)
@pytest.mark.parametrize("field", ["max_tokens", "seed", "after"])
async def test_a_frame_beyond_the_range_is_refused_by_name_and_the_socket_lives(
    socket, field, number
) -> None:
    if (field, number) in {("seed", 0), ("after", 0)}:
        return
    ids = {"id": "00000000-0000-4000-8000-000000000001"}
    if field == "after":
        await socket.ask(type="follow", generation=ids["id"], after=number)
    else:
        await socket.ask(type="submit", content="Hello", params={field: number}, **ids)
    refused = await socket.frame("error")
    assert refused["code"] == "bad_frame"
    assert field in refused["message"] or "range" in refused["message"]
    await socket.ask(type="ping")
    assert await socket.frame("pong")
    assert not await Generation.objects.aexists()


async def test_the_largest_number_of_tokens_is_taken(socket) -> None:
    accepted = await socket.submit("Hello", params={"max_tokens": MAX_TOKENS})
    assert accepted["type"] == "accepted"
    assert (await Generation.objects.aget()).max_tokens <= MAX_TOKENS


@pytest.mark.parametrize("number", [2**31, 2**63, 10**30, 0])
def test_a_request_beyond_the_range_is_refused(client: Client, db: None, number: int) -> None:
    alice = make_user("alice")
    client.force_login(alice)
    chat = Conversation.objects.create(owner=alice, title="a")
    file = Attachment.objects.create(owner=alice, name="a.txt", size=1)
    asked = {
        "/api/batches": {
            "instruction": "Why?", "attachments": [{"id": str(file.id)}], "max_tokens": number
        },
        f"/api/conversations/{chat.id}/keep": {"days": number},
        "/api/presets": {"name": "a", "max_tokens": number},
    }  # fmt: skip
    if number != 2**31:  # that many bytes, tokens are possible
        asked |= {
            "/api/archive/imports": {"size": number},
            "/api/keys": {"name": "a", "scopes": ["chat"], "token_budget": number},
        }
    for path, body in asked.items():
        send = client.put if path.endswith("keep") else client.post
        answer = send(path, body, content_type="application/json")
        assert 400 <= answer.status_code < 500, (path, answer.content)
        assert answer.json()["error"]["code"] in {"bad_frame", "too_long"}, (path, answer.content)


@pytest.mark.parametrize("wanted", [1, MAX_TOKENS, 2**31, 2**63, 10**30])
def test_what_an_older_version_stored_is_cut_to_what_the_column_holds(wanted: int) -> None:
    limit = context_limit(0, EffectiveLimits(), wanted)
    assert limit.output_room(10) == min(wanted, MAX_TOKENS)
    column = Generation._meta.get_field("max_tokens")
    assert isinstance(column, models.PositiveIntegerField)
    column.run_validators(limit.output_room(10))
