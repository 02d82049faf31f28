"""What changes between a question's check and its writing, while it waits for its turn, counts."""

from __future__ import annotations

import pytest
from django.utils import timezone

from chatsite.accounts.keys import do_create_key, do_revoke_key
from chatsite.conversations.models import Conversation, Message
from chatsite.errors import Refusal
from chatsite.generations.models import Generation
from chatsite.generations.submit import do_store, do_submit, prepare_prompt, prepare_submit
from chatsite.quotas.ledger import open_reservations
from inference.request import ChatMessage
from tests.support.people import People, ask_of

pytestmark = pytest.mark.django_db


def test_preparing_writes_nothing(people: People) -> None:
    prepare_submit(ask_of(people.alice), "Why is the sky blue?", None, None)
    assert not Message.objects.exists()
    assert not open_reservations().exists()


def test_an_account_that_was_deactivated_meanwhile_asks_nothing(people: People) -> None:
    prepared = prepare_submit(ask_of(people.alice), "Why is the sky blue?", None, None)
    type(people.alice).objects.filter(pk=people.alice.pk).update(is_active=False)
    with pytest.raises(Refusal) as refused:
        do_store(prepared)
    assert refused.value.code == "not_found"
    assert not Generation.objects.exists()
    assert not open_reservations().exists()


def test_a_key_that_was_revoked_meanwhile_asks_nothing(people: People) -> None:
    key, _ = do_create_key(people.alice.pk, "a script", ["chat"])
    prompt = [ChatMessage("user", "Why is the sky blue?")]
    prepared = prepare_prompt(ask_of(people.alice, api_key=key.id), prompt, store=False)
    do_revoke_key(key.id)
    with pytest.raises(Refusal) as refused:
        do_store(prepared)
    assert refused.value.code == "not_found"
    assert not Generation.objects.exists()


def test_a_conversation_that_was_deleted_meanwhile_grows_no_further(people: People) -> None:
    first = do_submit(ask_of(people.alice), "Why is the sky blue?", None, None)
    prepared = prepare_submit(ask_of(people.alice), "And at night?", first.conversation, first.answer)
    Conversation.objects.filter(id=first.conversation).update(deleted_at=timezone.now())
    with pytest.raises(Refusal) as refused:
        do_store(prepared)
    assert refused.value.code == "not_found"
    assert Generation.objects.count() == 1


def test_one_question_that_is_prepared_twice_is_stored_once(people: People) -> None:
    ask = ask_of(people.alice)
    twice = [prepare_submit(ask, "Why is the sky blue?", None, None) for _ in range(2)]
    first, second = map(do_store, twice)
    assert (first.created, second.created) == (True, False)
    assert first.generation == second.generation
