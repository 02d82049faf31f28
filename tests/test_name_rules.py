"""Names of titles, folders, files, keys, prompts: joiners are spelling, controls and overrides refused."""

from __future__ import annotations

import random

import pytest
from django.test import Client

from chatsite.attachments.actions import check_name
from chatsite.conversations.models import Conversation
from chatsite.conversations.title_prompt import parse_title
from chatsite.names import is_name, single_line
from tests.support.people import People, submit

SPELLED = (
    "\U0001f469\u200d\U0001f469\u200d\U0001f467",
    "\U0001f468\u200d\U0001f4bb Work",
    "می\u200cخواهم",
    "क\u094d\u200dष",
    "\u2764\ufe0f",
    "\u05e9\u05dc\u05d5\u05dd\u200e (a)",
    "\u2067\u05e9\u05dc\u05d5\u05dd\u2069 b",
    "co\u00adoperate",
    "\U0001fae8 new in Unicode 15",
    "\ue000 private",
    "日本\u3000語",
)
REFUSED = ("txt.\u202eexe", "a\u202db", "a\x00b", "a\x07b", "a\x7fb", "a\x85\x9bb", "\ud800", "a\uffff")
UNSEEN = ("", " ", "\u200d", "\u200b\u2060", "\u0301", "\u3164", "\u2800", "\ufeff", "\u202c\u2069")


@pytest.mark.parametrize("name", SPELLED)
def test_joiners_marks_and_new_signs_are_spelling(name: str) -> None:
    assert is_name(single_line(name))


@pytest.mark.parametrize("name", [*REFUSED, *UNSEEN])
def test_controls_overrides_and_nothing_to_see_are_no_name(name: str) -> None:
    assert not is_name(name)


@pytest.fixture
def client(people: People) -> Client:
    client = Client()
    client.force_login(people.alice)
    return client


def send(client: Client, method: str, path: str, content: dict) -> int:
    return getattr(client, method)(path, content, content_type="application/json").status_code


@pytest.mark.parametrize("name", SPELLED)
def test_everything_that_has_a_name_takes_it_as_it_is_spelled(
    people: People, client: Client, name: str
) -> None:
    id = submit(people.alice).conversation
    kept = single_line(name)
    assert send(client, "patch", f"/api/conversations/{id}", {"title": name}) == 200
    assert send(client, "post", "/api/conversations/change", {"ids": [str(id)], "folder": name}) == 204
    row = Conversation.objects.get(id=id)
    assert (row.title, row.folder) == (kept, kept)
    assert send(client, "post", "/api/prompts", {"name": name, "content": "c"}) == 201
    assert send(client, "post", "/api/keys", {"name": name, "scopes": ["chat"]}) == 201
    assert people.alice.api_keys.get().name == kept
    assert check_name(f"{name}.txt") == f"{kept}.txt"
    assert parse_title(f"{name} a", "stop") == f"{kept} a"


@pytest.mark.parametrize("name", ["txt.\u202eexe", "\u200d"])
def test_what_is_no_name_is_refused_everywhere(people: People, client: Client, name: str) -> None:
    id = submit(people.alice).conversation
    assert send(client, "patch", f"/api/conversations/{id}", {"title": name}) == 400
    assert send(client, "post", "/api/conversations/change", {"ids": [str(id)], "folder": name}) == 400
    assert send(client, "post", "/api/prompts", {"name": name, "content": "c"}) == 400
    assert send(client, "post", "/api/keys", {"name": name, "scopes": ["chat"]}) == 400


def check(seeds: range) -> None:
    """Words of every script, with joiners and marks anywhere after a visible one: a name, and unchanged."""
    joiners = "\u200c\u200d\u200e\u200f\ufe0f\u2066\u2068\u2069\u00ad\u0301"
    letters = "aZß中日한яاक👩❤ß9_-"
    for seed in seeds:
        chance = random.Random(seed)
        name = chance.choice(letters) + "".join(chance.choice(letters + joiners + " ") for _ in range(12))
        line = single_line(name)
        assert is_name(line), f"seed {seed}"
        assert check_name(name) == line, f"seed {seed}"
        at = chance.randrange(len(line) + 1)
        assert not is_name(line[:at] + chance.choice("\u202d\u202e\x00\x1b\x7f\x9f") + line[at:]), (
            f"seed {seed}"
        )


def test_a_hundred_generated_names() -> None:
    check(range(100))


@pytest.mark.proof
def test_two_thousand_generated_names() -> None:
    check(range(1_000, 3_000))
