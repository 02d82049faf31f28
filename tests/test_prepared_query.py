"""Prepared queries find what the ORM finds, and build their statement once."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models import BigIntegerField, CharField, QuerySet, UUIDField
from django.test.utils import CaptureQueriesContext

from chatsite.accounts.keys import do_create_key
from chatsite.accounts.models import ApiKey
from chatsite.conversations.models import Message
from chatsite.prepared_query import PreparedQuery
from tests.support.people import People, submit

pytestmark = pytest.mark.django_db


def named_key(owner: Any, name: Any) -> QuerySet[ApiKey]:
    return ApiKey.objects.select_related("owner").filter(owner_id=owner, name=name, revoked_at=None)


def stored(row: Any) -> dict[str, Any]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def test_an_instance_is_the_orms_own_and_so_is_what_is_selected_with_it(people: People) -> None:
    query = PreparedQuery(named_key, owner=BigIntegerField(), name=CharField())
    for person, name in ((people.alice, "one"), (people.alice, "two"), (people.bob, "one")):
        do_create_key(person.pk, name, ["chat", "models"], token_budget=9)
    for person, name in ((people.bob, "one"), (people.alice, "two"), (people.alice, "one")):
        expected = named_key(person.pk, name).get()
        with CaptureQueriesContext(connection) as seen:
            found = query.first(owner=person.pk, name=name)
            assert found is not None
            assert stored(found) == stored(expected), "identifier, list of scopes and moments converted"
            assert stored(found.owner) == stored(person)
        assert len(seen) == 1
    assert query.first(owner=people.charlie.pk, name="one") is None


def test_what_is_found_can_be_changed_and_saved(people: People) -> None:
    query = PreparedQuery(named_key, owner=BigIntegerField(), name=CharField())
    do_create_key(people.alice.pk, "one", ["chat"])
    found = query.first(owner=people.alice.pk, name="one")
    assert found is not None
    found.name = "another"
    found.save()
    assert ApiKey.objects.get().name == "another"


def test_what_may_be_missing_beside_an_instance_is_none(people: People) -> None:
    def message(id: Any) -> QuerySet[Message]:
        return Message.objects.select_related("conversation", "parent").filter(id=id)

    query = PreparedQuery(message, id=UUIDField())
    done = submit(people.alice, "Why is the sky blue?")
    question, answer = query.first(id=done.message), query.first(id=done.answer)
    assert question is not None
    assert answer is not None
    assert question.parent is None
    assert answer.parent == question
    assert answer.conversation.owner_id == people.alice.pk
    assert query.first(id=uuid4()) is None


def test_the_query_is_built_once(people: People) -> None:
    built: list[str] = []

    def build(owner: Any) -> QuerySet[ApiKey]:
        built.append("once")
        return ApiKey.objects.filter(owner_id=owner)

    query = PreparedQuery(build, owner=BigIntegerField())
    for person in (people.alice, people.bob, people.alice):
        query.first(owner=person.pk)
    assert built == ["once"]
    PreparedQuery.forget()
    query.first(owner=people.alice.pk)
    assert built == ["once", "once"]
