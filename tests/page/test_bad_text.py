"""Whatever the page's JSON is sent, it answers in the one error shape, and nothing is stored or broken."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from chatsite import ratelimit
from chatsite.conversations.models import Conversation, Feedback, Instructions, Preset, Prompt
from chatsite.jobs.actions import do_create_job
from chatsite.jobs.models import Job
from tests.support.people import People, submit
from tests.support.staff import signed_in

JSON = "application/json"
CONTROL = ["\x00", "\x07", "\ufdd0"]

ROUTES: list[tuple[str, str, dict[str, Any]]] = [
    ("post", "/api/prompts", {"name": "{}", "content": "x"}),
    ("post", "/api/prompts", {"name": "x", "content": "{}"}),
    ("put", "/api/prompts/<prompt>", {"name": "x", "content": "{}"}),
    ("post", "/api/presets", {"name": "{}", "system": "x"}),
    ("post", "/api/presets", {"name": "x", "system": "{}"}),
    ("put", "/api/instructions", {"text": "{}"}),
    ("put", "/api/messages/<answer>/feedback", {"value": 1, "comment": "{}"}),
    ("post", "/api/messages/<answer>/edit", {"content": "{}"}),
    ("patch", "/api/conversations/<conversation>", {"title": "{}"}),
    ("post", "/api/conversations/change", {"ids": ["<conversation>"], "folder": "{}"}),
    ("post", "/api/keys", {"name": "{}", "scopes": ["chat"]}),
]
"""Every route of the page that keeps what a person typed; {} is where the text goes."""


@pytest.fixture
def alice(people: People) -> Client:
    return signed_in(people.alice)


@pytest.fixture
def ids(people: People) -> dict[str, str]:
    done = submit(people.alice)
    prompt = Prompt.objects.create(owner=people.alice, name="mine", content="mine")
    return {
        "<answer>": str(done.answer), "<conversation>": str(done.conversation), "<prompt>": str(prompt.id),
    }  # fmt: skip


def filled(fields: dict[str, Any], text: str) -> dict[str, Any]:
    return {name: f"a{text}b" if value == "{}" else value for name, value in fields.items()}


@pytest.mark.parametrize("text", CONTROL)
@pytest.mark.parametrize(("method", "path", "fields"), ROUTES)
def test_control_characters_are_refused_and_not_kept(
    alice: Client, ids: dict[str, str], method: str, path: str, fields: dict[str, Any], text: str
) -> None:
    for name, id in ids.items():
        path = path.replace(name, id)
        fields = {key: [id] if value == [name] else value for key, value in fields.items()}
    answer = getattr(alice, method)(path, filled(fields, text), JSON)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] in ("forbidden_text", "empty")
    kept = [list(model.objects.values()) for model in (Prompt, Preset, Instructions, Feedback, Conversation)]
    assert f"a{text}b" not in repr(kept).encode().decode("unicode_escape")
    assert getattr(alice, method)(path, filled(fields, "-"), JSON).status_code < 300, "the rest was right"


@pytest.mark.parametrize("path", ["/api/conversations?folder=a%00b", "/api/conversations?folder=" + "x" * 61])
def test_a_folder_that_cannot_be_is_refused(alice: Client, path: str) -> None:
    assert alice.get(path).json()["error"]["code"] in ("forbidden_text", "too_long")


def test_a_search_for_a_control_character_finds_nothing(alice: Client, ids: dict[str, str]) -> None:
    assert alice.get("/api/search?q=%00").json()["hits"] == []
    assert alice.get("/api/search?q=sky%00").status_code == 200


@pytest.mark.parametrize("body", ["[" * 50_000, '{"x":' + "[" * 50_000, "no json", "null", '{"text": 5}'])
def test_what_is_no_form_is_a_bad_frame(alice: Client, body: str) -> None:
    answer = alice.put("/api/instructions", body, JSON)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_frame")


def test_a_body_that_is_too_long_is_refused_in_the_same_shape(alice: Client) -> None:
    answer = alice.put("/api/instructions", json.dumps({"text": "x" * 2**20}), JSON)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_long")


def test_whoever_shall_wait_is_told_how_long(alice: Client, one_window, monkeypatch) -> None:
    monkeypatch.setattr(ratelimit, "SIGN_INS_PER_ACCOUNT", 1)
    answers = [alice.post("/api/account", {"proof": "wrong"}, JSON) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [403, 429]
    assert int(answers[1]["Retry-After"]) >= 1
    assert "Retry-After" not in answers[0]


@pytest.mark.parametrize("offset", ["9" * 5_000, "-1", "x", "", "²"])
def test_an_offset_that_is_no_number_of_bytes_is_refused(people: People, alice: Client, offset: str) -> None:
    owner = people.alice.pk
    job = do_create_job(owner, owner, Job.Kind.IMPORT, {"size": 10}, Job.Status.RECEIVING)
    answer = alice.put(f"/api/archive/{job.id}/data?offset={offset}", b"x", "application/octet-stream")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_frame")
    assert alice.put(f"/api/archive/{uuid4()}/data?offset=0", b"x", JSON).status_code == 404
