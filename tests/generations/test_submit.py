"""Submitting: one transaction, idempotent by client id, refused as a whole."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest
from django.test.utils import CaptureQueriesContext

from chatsite.conversations.branch import read_branches
from chatsite.conversations.models import Conversation, Message
from chatsite.errors import Refusal
from chatsite.generations.models import Generation, GenerationStatus
from chatsite.generations.submit import do_regenerate, do_submit, do_submit_prompt
from inference.request import ChatMessage
from tests.support.people import People, ask_of, submit


def test_stores_question_answer_and_job_together(people: People) -> None:
    done = submit(people.alice, "Why is the sky blue?")
    job = Generation.objects.get(id=done.generation)
    assert (job.status, job.new_chars, job.seq) == (GenerationStatus.QUEUED, 20, 0)
    assert job.answer_id == done.answer
    assert job.answer.parent_id == done.message
    assert job.conversation.title == "Why is the sky blue?"
    assert job.prompt_tokens > 0


def test_same_client_id_is_the_same_generation(people: People) -> None:
    ask = ask_of(people.alice)
    first = do_submit(ask, "Hello", None, None)
    second = do_submit(ask, "Hello", None, None)
    assert (first.created, second.created) == (True, False)
    assert first.generation == second.generation
    assert Message.objects.count() == 2


def test_same_client_id_of_another_person_is_another_generation(people: People) -> None:
    client_id = uuid4()
    first = do_submit(ask_of(people.alice, client_id), "Hello", None, None)
    second = do_submit(ask_of(people.bob, client_id), "Hello", None, None)
    assert first.generation != second.generation


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("", "empty"),
        (" \n\t ", "empty"),
        ("x" * (256 * 1024 + 1), "too_long"),
        ("a\x00b", "forbidden_text"),
        ("a\x1bb", "forbidden_text"),
        ("a\ud800b", "forbidden_text"),
        ("a\uffffb", "forbidden_text"),
    ],
)
def test_refused_content_stores_nothing(people: People, content: str, code: str) -> None:
    with pytest.raises(Refusal) as refusal:
        submit(people.alice, content)
    assert refusal.value.code == code
    assert not Conversation.objects.exists()


@pytest.mark.parametrize(
    "content", ["SELECT * FROM users; --", "<|im_start|>system", "名字\r\n\t🙂", "<script>"]
)
def test_what_is_only_text_is_kept_as_typed(people: People, content: str) -> None:
    assert Message.objects.get(id=submit(people.alice, content).message).content == content


def test_longer_than_the_context_is_refused_with_both_numbers(people: People) -> None:
    with pytest.raises(Refusal, match=r"350 tokens; the model's context is 16") as refusal:
        do_submit(ask_of(people.alice, context_tokens=16), "word " * 200, None, None)
    assert refusal.value.code == "too_long"


def test_output_is_clamped_to_the_room_that_is_left(people: People) -> None:
    done = do_submit(ask_of(people.alice, context_tokens=100), "Hello", None, None)
    job = Generation.objects.get(id=done.generation)
    assert job.prompt_tokens + job.max_tokens == 100


@pytest.mark.parametrize("stranger", ["bob", "charlie"])
def test_other_peoples_ids_answer_like_missing_ones(people: People, stranger: str) -> None:
    done = submit(people.alice)
    other = getattr(people, stranger)
    for conversation, parent in [
        (done.conversation, None),
        (done.conversation, done.answer),
        (uuid4(), None),
    ]:
        with pytest.raises(Refusal) as refusal:
            do_submit(ask_of(other), "Hello", conversation, parent)
        assert refusal.value.code == "not_found"
    with pytest.raises(Refusal, match="no such message"):
        do_regenerate(ask_of(other), done.answer)
    with pytest.raises(Refusal, match="no such message"):
        do_regenerate(ask_of(other), done.message)


def test_parent_of_another_conversation_is_missing(people: People) -> None:
    one, two = submit(people.alice), submit(people.alice)
    with pytest.raises(Refusal) as refusal:
        submit(people.alice, "Hello", conversation=one.conversation, parent=two.answer)
    assert refusal.value.code == "not_found"


def test_regenerate_makes_a_sibling_of_the_answer(people: People) -> None:
    done = submit(people.alice)
    again = do_regenerate(ask_of(people.alice), done.answer)
    assert again.message == done.message
    assert again.answer != done.answer
    assert set(Message.objects.filter(parent=done.message).values_list("id", flat=True)) == {
        done.answer,
        again.answer,
    }


def test_branch_is_read_from_root_to_leaf(people: People) -> None:
    first = submit(people.alice, "one")
    Message.objects.filter(id=first.answer).update(content="two")
    second = submit(people.alice, "three", conversation=first.conversation, parent=first.answer)
    other = submit(people.alice, "another", conversation=first.conversation, parent=first.answer)
    branches = read_branches([second.message, other.message])
    assert branches[second.message].messages() == (
        ChatMessage("user", "one"),
        ChatMessage("assistant", "two"),
        ChatMessage("user", "three"),
    )
    assert branches[other.message].messages()[-1] == ChatMessage("user", "another")


@pytest.mark.parametrize(
    "status",
    [
        GenerationStatus.CANCELLED,
        GenerationStatus.INTERRUPTED,
        GenerationStatus.TIMED_OUT,
        GenerationStatus.FAILED,
    ],
)
def test_what_broke_off_is_continued_from_the_words_that_are_there(
    people: People, status: GenerationStatus
) -> None:
    first = submit(people.alice, "one")
    Message.objects.filter(id=first.answer).update(content="two, thr")
    Generation.objects.filter(id=first.generation).update(status=status)
    onward = submit(people.alice, "Go on.", conversation=first.conversation, parent=first.answer)
    assert onward.created
    assert read_branches([onward.message])[onward.message].messages()[1:] == (
        ChatMessage("assistant", "two, thr"),
        ChatMessage("user", "Go on."),
    )
    with pytest.raises(Refusal) as refusal:
        submit(people.bob, "Go on.", conversation=first.conversation, parent=first.answer)
    assert refusal.value.code == "not_found"


def test_full_queue_refuses_and_says_when_to_come_back(people: People, settings) -> None:
    settings.MAX_ACTIVE_GENERATIONS = 2
    submit(people.alice)
    submit(people.bob)
    with pytest.raises(Refusal) as refusal:
        do_submit(ask_of(people.charlie, retry_after_s=12.0), "Hello", None, None)
    assert (refusal.value.code, refusal.value.retry_after_s) == ("queue_full", 12.0)


def test_an_engine_that_keeps_failing_takes_in_nobody_new(people: People) -> None:
    known = ask_of(people.alice)
    done = do_submit(known, "Before it failed", None, None)
    with pytest.raises(Refusal) as refusal:
        do_submit(ask_of(people.alice, refused_for_s=7.0), "After", None, None)
    assert (refusal.value.code, refusal.value.retry_after_s) == ("engine_unavailable", 7.0)
    assert Generation.objects.count() == 1
    again = do_submit(replace(known, refused_for_s=7.0), "Before it failed", None, None)
    assert (again.generation, again.created) == (done.generation, False), "what is queued stays there"


def test_one_person_cannot_fill_the_queue(people: People, settings) -> None:
    settings.MAX_ACTIVE_PER_USER = 1
    submit(people.alice)
    with pytest.raises(Refusal, match="of your questions"):
        submit(people.alice)
    submit(people.bob)


def test_a_first_question_costs_few_queries(people: People, django_assert_max_num_queries) -> None:
    """SQLite has one writer: a hundred people at once wait for the sum of these.

    Known already? terms, instructions; then in the transaction: balance, ledger, room, conversation,
    messages, search entries and terms, job.
    """
    with django_assert_max_num_queries(13) as captured:
        submit(people.alice)
    assert isinstance(captured, CaptureQueriesContext)


def test_a_programs_last_turn_may_be_empty(people: People) -> None:
    turns = [ChatMessage("system", "Say hello."), ChatMessage("user", "")]
    done = do_submit_prompt(ask_of(people.alice), turns, store=True)
    assert Conversation.objects.get(id=done.conversation).title == ""
