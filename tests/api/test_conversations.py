"""The page's HTTP API: shapes, access, and a list that pages without holes."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from chatsite.conversations.models import Conversation
from tests.support.people import People, submit


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_opens_as_a_tree_with_its_generation(people: People) -> None:
    done = submit(people.alice, "Why?")
    body = signed_in(people.alice).get(f"/api/conversations/{done.conversation}").json()
    question, answer = body["messages"]
    assert (question["role"], question["content"], question["parent"]) == ("user", "Why?", None)
    assert answer["parent"] == question["id"]
    assert answer["generation"]["status"] == "queued"
    assert body["leaf"] == str(done.answer)


@pytest.mark.parametrize("who", ["bob", "charlie"])
@pytest.mark.parametrize(
    ("method", "suffix"), [("get", ""), ("patch", ""), ("delete", ""), ("post", "/restore")]
)
def test_others_get_what_a_missing_one_gets(people: People, who: str, method: str, suffix: str) -> None:
    done = submit(people.alice)
    client = signed_in(getattr(people, who))
    body = {"content_type": "application/json", "data": "{}"} if method == "patch" else {}
    theirs = getattr(client, method)(f"/api/conversations/{done.conversation}{suffix}", **body)
    missing = getattr(client, method)(f"/api/conversations/{uuid4()}{suffix}", **body)
    assert theirs.status_code == missing.status_code == 404
    assert theirs.content == missing.content


def test_strangers_are_told_to_sign_in(db: None) -> None:
    assert Client().get("/api/conversations").status_code == 401
    assert Client().get("/").headers["Location"].startswith("/accounts/login/")


def test_the_list_pages_without_holes_or_doubles(people: People) -> None:
    now = timezone.now()
    rows = [
        Conversation(
            owner=people.alice, title=str(n), pinned=n % 40 == 0, updated_at=now - timedelta(seconds=n // 3)
        )
        for n in range(120)
    ]
    Conversation.objects.bulk_create(rows)
    client, seen, cursor = signed_in(people.alice), [], ""
    while cursor is not None:
        page = client.get("/api/conversations", {"before": cursor} if cursor else {}).json()
        seen += page["conversations"]
        cursor = page["next"]
    assert len(seen) == len({row["id"] for row in seen}) == 120
    assert [row["pinned"] for row in seen] == sorted((row["pinned"] for row in seen), reverse=True)


def test_rename_delete_and_undo(people: People) -> None:
    done = submit(people.alice)
    client, address = signed_in(people.alice), f"/api/conversations/{done.conversation}"
    renamed = client.patch(address, '{"title": "  Sky \\n blue "}', content_type="application/json").json()
    assert renamed["title"] == "Sky blue"
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404
    assert client.post(address + "/restore").status_code == 200
    assert client.get(address).status_code == 200


@pytest.mark.parametrize("body", ['{"owner": 1}', "{", '{"title": 5}', '{"title": ""}'])
def test_what_is_not_in_the_schema_is_refused(people: People, body: str) -> None:
    done = submit(people.alice)
    response = signed_in(people.alice).patch(
        f"/api/conversations/{done.conversation}", body, content_type="application/json"
    )
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "bad_frame"
