"""What a program's request leaves behind: a charge on its key, and nothing that was said."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from chatsite.accounts.keys import do_create_key
from chatsite.accounts.models import ApiKey
from chatsite.conversations.models import Conversation, Message
from chatsite.generations.erase import ERASE_AFTER_S, erase_temporary
from chatsite.generations.models import Generation
from chatsite.generations.submit import Submitted, do_submit_prompt
from inference.dispatch.store import Claim, Outcome
from inference.request import ChatMessage, Request, Usage
from inference.worker.intake import read_changes
from inference.worker.owner import next_epoch
from inference.worker.recorder import Recorder
from tests.support.people import People, ask_of

TURNS = (ChatMessage("system", "Be brief."), ChatMessage("user", "Why?"))


@pytest.fixture
def key(people: People) -> ApiKey:
    return do_create_key(people.alice.pk, "a", ["chat"])[0]


@pytest.fixture
def recorder(people: People) -> Recorder:
    return Recorder(next_epoch())


def submit(people: People, key: ApiKey, *, store: bool = False, batch: bool = False) -> Submitted:
    return do_submit_prompt(ask_of(people.alice, api_key=key.id, batch=batch), TURNS, store=store)


def outcome(done: Submitted, usage: Usage) -> Outcome:
    return Outcome(str(done.generation), 1, "cancelled", "cancelled", "Bec", "", 1, usage)


def requests() -> list[Request]:
    return read_changes(frozenset(), spare=True).requests


def test_the_message_list_reaches_the_engine_as_it_was_sent(people: People, key: ApiKey) -> None:
    submit(people, key)
    (request,) = requests()
    assert request.messages == TURNS
    assert not request.batch


def test_what_may_wait_is_told_to_the_line(people: People, key: ApiKey) -> None:
    submit(people, key, batch=True)
    assert requests()[0].batch


def test_a_key_is_charged_once_with_what_was_made(people: People, key: ApiKey, recorder: Recorder) -> None:
    done = submit(people, key)
    recorder.do_claim([Claim(str(done.generation), 1)])
    end = outcome(done, Usage(prompt_tokens=12, completion_tokens=3))
    for _ in range(2):
        assert recorder.do_finish([end]) == {str(done.generation)}
    key.refresh_from_db()
    assert key.tokens_used == 15


def ended(people: People, key: ApiKey, recorder: Recorder, *, store: bool, ago_s: float) -> Submitted:
    done = submit(people, key, store=store)
    recorder.do_finish([outcome(done, Usage())])
    at = timezone.now() - timedelta(seconds=ago_s)
    Conversation.objects.filter(id=done.conversation).update(created_at=at)
    Generation.objects.filter(id=done.generation).update(finished_at=at)
    return done


def test_what_was_said_is_erased_after_its_end(people: People, key: ApiKey, recorder: Recorder) -> None:
    ended(people, key, recorder, store=False, ago_s=ERASE_AFTER_S + 1)
    assert erase_temporary() > 0
    assert not Message.objects.exists()
    assert not Generation.objects.exists()


@pytest.mark.parametrize(("store", "ago_s"), [(True, 10_000), (False, ERASE_AFTER_S - 5)])
def test_what_is_kept_or_fresh_is_not(
    people: People, key: ApiKey, recorder: Recorder, store: bool, ago_s: float
) -> None:
    ended(people, key, recorder, store=store, ago_s=ago_s)
    assert erase_temporary() == 0


def test_what_still_runs_is_not(people: People, key: ApiKey) -> None:
    done = submit(people, key)
    Conversation.objects.filter(id=done.conversation).update(created_at=timezone.now() - timedelta(hours=1))
    assert erase_temporary() == 0


def test_a_prompt_costs_few_queries(people: People, key: ApiKey, django_assert_max_num_queries) -> None:
    """SQLite has one writer: a hundred programs at once wait for the sum of these."""
    turns = TURNS * 30
    with django_assert_max_num_queries(11):
        do_submit_prompt(ask_of(people.alice, api_key=key.id), turns, store=False)
