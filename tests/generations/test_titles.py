"""Titles by the model: asked for once, charged, given only to who did not choose one."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from chatsite.conversations import actions
from chatsite.conversations.access import visible_conversations
from chatsite.conversations.models import Conversation, Instructions, TitleSource
from chatsite.conversations.search import search
from chatsite.errors import Refusal
from chatsite.generations.access import active_generations
from chatsite.generations.erase import ERASE_AFTER_S, erase_temporary
from chatsite.generations.models import Generation
from chatsite.generations.reconcile import reconcile
from chatsite.generations.submit import do_submit, do_submit_prompt
from chatsite.generations.titles import (
    MOST_AT_ONCE,
    conversations_wanting_titles,
    do_set_title,
    do_submit_title,
    finished_title_generations,
)
from inference.dispatch.store import Claim, Outcome, Status
from inference.request import ChatMessage, FinishReason, Usage
from inference.status import InferenceStatus
from inference.worker import titles
from inference.worker.intake import read_changes
from inference.worker.owner import next_epoch
from inference.worker.recorder import Recorder
from inference.worker.titles import Titles, has_spare_time
from tests.support.people import People, ask_of, submit
from tests.support.plans import assign


@pytest.fixture
def recorder(people: People) -> Recorder:
    return Recorder(next_epoch())


def end(
    recorder: Recorder,
    generation: UUID,
    text: str,
    status: Status = "finished",
    reason: FinishReason = "stop",
) -> None:
    recorder.do_claim([Claim(str(generation), 1)])
    usage = Usage(prompt_tokens=9, completion_tokens=4)
    recorder.do_finish([Outcome(str(generation), 1, status, reason, text, "", 4, usage)])


@pytest.fixture
def answered(people: People, recorder: Recorder) -> UUID:
    """Alice's conversation with its first answer."""
    done = submit(people.alice)
    end(recorder, done.generation, "Rayleigh scattering.")
    return done.conversation


def asked(conversation: UUID) -> UUID:
    found = do_submit_title(conversation)
    assert found is not None
    return found


def reread(conversation: UUID) -> Conversation:
    return Conversation.objects.get(id=conversation)


def test_a_title_is_wanted_when_the_first_answer_is_there(people: People, recorder: Recorder) -> None:
    done = submit(people.alice)
    assert conversations_wanting_titles() == []
    end(recorder, done.generation, "Rayleigh scattering.")
    assert conversations_wanting_titles() == [done.conversation]


def test_the_model_names_a_conversation_once(people: People, recorder: Recorder, answered: UUID) -> None:
    job = asked(answered)
    assert do_submit_title(answered) is None, "asked already"
    assert conversations_wanting_titles() == finished_title_generations() == []
    end(recorder, job, 'Title: "Why the Sky Is Blue"\nBecause it scatters.')
    assert finished_title_generations() == [job]
    assert do_set_title(job) == (people.alice.pk, answered)
    assert finished_title_generations() == []
    assert (reread(answered).title, reread(answered).naming) == ("Why the Sky Is Blue", TitleSource.MODEL)
    hits, _ = search(people.alice.pk, "the sky is blue")
    assert {hit.conversation for hit in hits} == {answered}


def test_a_title_is_paid_for_by_the_owner_and_the_books_agree(
    people: People, recorder: Recorder, answered: UUID
) -> None:
    assign(user=people.alice, tokens_per_day=10_000)
    job = asked(answered)
    end(recorder, job, "Sky")
    assert people.alice.ledger_entries.get(generation=job, kind="settle").completion_tokens == 4
    assert list(reconcile(repair=False)) == []


async def test_a_model_outside_the_plan_makes_no_title(
    transactional_db, people: People, answered: UUID
) -> None:
    await sync_to_async(assign)(model_names="m-small")
    await Titles(lambda: True, lambda: None, lambda: "m-large").poll()
    assert (await sync_to_async(reread)(answered)).naming == TitleSource.WORDS
    await Conversation.objects.filter(id=answered).aupdate(naming=TitleSource.WANTED)
    await Titles(lambda: True, lambda: None, lambda: "m-small").poll()
    assert (await sync_to_async(reread)(answered)).naming == TitleSource.ASKED


async def test_a_title_that_cannot_be_given_keeps_no_other_waiting(
    transactional_db, people: People, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made() -> list[UUID]:
        jobs = []
        for _ in range(2):
            done = submit(people.alice)
            end(recorder, done.generation, "Scattering.")
            jobs.append(asked(done.conversation))
            end(recorder, jobs[-1], "The blue sky")
        return jobs

    bad, _ = await sync_to_async(made)()

    def give(generation: UUID) -> tuple[int, UUID] | None:
        if generation == bad:
            raise ValueError("no index")
        return do_set_title(generation)

    monkeypatch.setattr(titles, "do_set_title", give)
    with pytest.raises(ValueError, match="no index"):
        await Titles(lambda: True, lambda: None, lambda: "m").poll()
    assert await sync_to_async(finished_title_generations)() == [bad]


def test_without_a_budget_the_first_words_stay(people: People, answered: UUID) -> None:
    assign(user=people.alice, tokens_per_day=1)
    assert do_submit_title(answered) is None
    assert (reread(answered).title, reread(answered).naming) == ("Why is the sky blue?", TitleSource.WORDS)
    assert conversations_wanting_titles() == []


@pytest.mark.parametrize(
    ("text", "status", "reason"),
    [
        ("Half of a", "interrupted", "interrupted"),
        ("", "failed", "error"),
        ("Goes on and", "finished", "length"),
    ],
)
def test_what_is_no_title_leaves_the_first_words(
    recorder: Recorder, answered: UUID, text: str, status: Status, reason: FinishReason
) -> None:
    job = asked(answered)
    end(recorder, job, text, status, reason)
    assert do_set_title(job) is None
    assert (reread(answered).title, reread(answered).naming) == ("Why is the sky blue?", TitleSource.WORDS)


def test_a_name_given_by_hand_stays(people: People, recorder: Recorder, answered: UUID) -> None:
    job = asked(answered)
    actions.do_update_conversation(people.alice.pk, answered, title="Mine")
    end(recorder, job, "The Model's")
    do_set_title(job)
    assert (reread(answered).title, reread(answered).naming) == ("Mine", TitleSource.PERSON)


def test_a_name_given_before_is_not_asked_about(people: People, answered: UUID) -> None:
    actions.do_update_conversation(people.alice.pk, answered, title="Mine")
    assert conversations_wanting_titles() == []
    assert do_submit_title(answered) is None


def test_who_wants_no_titles_gets_none(people: People, answered: UUID) -> None:
    Instructions.objects.create(owner=people.alice, titles=False)
    assert do_submit_title(answered) is None
    assert Generation.objects.filter(titles__isnull=False).count() == 0


def test_the_site_can_do_without(people: People, answered: UUID, settings: pytest.FixtureRequest) -> None:
    settings.TITLES = False  # type: ignore[attr-defined]
    assert conversations_wanting_titles() == []
    assert reread(submit(people.alice).conversation).naming == TitleSource.WORDS


def test_temporary_chats_and_programs_get_no_title(people: People, recorder: Recorder) -> None:
    passing = do_submit(ask_of(people.alice), "Forget me", None, None, temporary=True)
    program = do_submit_prompt(ask_of(people.alice), [ChatMessage("user", "Hi")], store=True)
    for done in (passing, program):
        end(recorder, done.generation, "Done.")
    assert conversations_wanting_titles() == []


def test_nobody_sees_where_a_title_is_asked_for(people: People, answered: UUID) -> None:
    job = Generation.objects.get(id=asked(answered))
    for person in (people.alice, people.bob, people.charlie):
        assert job.conversation not in visible_conversations(person.pk)
        assert job not in active_generations(person.pk)
    with pytest.raises(Refusal, match="no such conversation"):
        actions.do_update_conversation(people.alice.pk, job.conversation_id, title="x")


def test_what_a_title_was_asked_with_is_erased(recorder: Recorder, answered: UUID) -> None:
    job = asked(answered)
    end(recorder, job, "Sky")
    erase_temporary()
    assert Generation.objects.filter(id=job).exists()
    long_ago = timezone.now() - timedelta(seconds=ERASE_AFTER_S + 1)
    Generation.objects.filter(id=job).update(finished_at=long_ago)
    Conversation.objects.filter(naming=TitleSource.NONE).update(created_at=long_ago)
    erase_temporary()
    assert not Conversation.objects.filter(naming=TitleSource.NONE).exists()
    assert reread(answered)


def test_titles_take_no_place_from_questions(
    people: People, recorder: Recorder, settings: pytest.FixtureRequest
) -> None:
    settings.MAX_ACTIVE_PER_USER = 1  # type: ignore[attr-defined]
    done = submit(people.alice)
    end(recorder, done.generation, "Scattering.")
    asked(done.conversation)
    assert submit(people.alice, "And at night?").created


def test_few_are_asked_for_at_once(people: People, recorder: Recorder) -> None:
    for _ in range(MOST_AT_ONCE + 1):
        end(recorder, submit(people.alice).generation, "Scattering.")
    wanted = conversations_wanting_titles()
    assert len(wanted) == MOST_AT_ONCE
    for conversation in wanted:
        asked(conversation)
    assert conversations_wanting_titles() == []


def test_a_title_goes_into_the_line_only_in_spare_time(people: People, answered: UUID) -> None:
    title, question = asked(answered), submit(people.bob).generation

    def carried(spare: bool) -> set[str]:
        return {request.generation for request in read_changes(frozenset(), spare).requests}

    assert carried(False) == {str(question)}
    assert carried(True) == {str(question), str(title)}


@pytest.mark.parametrize(
    ("state", "waiting", "running", "spare"),
    [
        ("ready", 0, 0, True),
        ("ready", 0, 3, True),
        ("ready", 0, 4, False),
        ("ready", 1, 0, False),
        ("starting", 0, 0, False),
        ("paused", 0, 0, False),
    ],
)
def test_spare_time_is_when_nobody_waits_and_half_is_free(
    state: str, waiting: int, running: int, spare: bool
) -> None:
    status = InferenceStatus(at=0.0, state=state, waiting={"quick": waiting}, running={"normal": running})  # type: ignore[arg-type]
    assert has_spare_time(status, slots=8) is spare


def test_a_conversation_deleted_meanwhile_takes_its_title_along(
    people: People, recorder: Recorder, answered: UUID
) -> None:
    job = asked(answered)
    recorder.do_claim([Claim(str(job), 1)])
    Conversation.objects.filter(id=answered).delete()
    usage = Usage(prompt_tokens=9, completion_tokens=4)
    recorder.do_finish([Outcome(str(job), 1, "finished", "stop", "Sky", "", 4, usage)])
    assert finished_title_generations() == []
    assert list(reconcile(repair=False)) == []
