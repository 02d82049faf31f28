"""The usage page and its JSON: what was used, what is left, what applies and why; each person's own."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from tests.support.people import People, submit
from tests.support.plans import assign, end


def page_of(user, path: str = "/usage"):
    client = Client()
    if user:
        client.force_login(user)
    return client.get(path)


@pytest.fixture
def used(people: People) -> int:
    group = Group.objects.create(name="interns")
    group.user_set.add(people.alice)
    assign("Small", group=group, tokens_per_day=5000, max_output=100)
    job = end(submit(people.alice), completion_tokens=7)
    return job.prompt_tokens + 7


def test_a_person_sees_their_use_their_budget_and_why(people: People, used: int) -> None:
    answer = page_of(people.alice, "/api/usage").json()
    assert answer["budgets"][0] | {"resets_at": ""} == {
        "name": "day", "used": used, "limit": 5000, "resets_at": "", "warn": False,
    }  # fmt: skip
    limits = {limit["name"]: (limit["value"], limit["why"]) for limit in answer["terms"]}
    assert limits["tokens_per_day"] == (5000, "Small (group interns)")
    assert limits["tokens_per_month"] == (None, "Small (group interns)")
    assert [row["tokens"] for row in answer["days"]] == [used]
    assert answer["month"]["requests"] == 1
    text = page_of(people.alice).content.decode()
    assert "5,000" in text
    assert "Small (group interns)" in text


@pytest.mark.parametrize("other", ["bob", "charlie"])
def test_nobody_sees_anothers(people: People, used: int, other: str) -> None:
    answer = page_of(getattr(people, other), "/api/usage").json()
    assert (answer["budgets"], answer["days"], answer["month"]["tokens"]) == ([], [], 0)
    assert "Nothing limits" in page_of(getattr(people, other)).content.decode()


def test_strangers_sign_in_first(db) -> None:
    assert page_of(None, "/api/usage").status_code == 401
    assert page_of(None).status_code == 302
