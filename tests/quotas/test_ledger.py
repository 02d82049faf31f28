"""The ledger: reserved at submit, settled at the end, and never more than the budget."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db.models import Sum
from django.utils import timezone

from chatsite.conversations.models import Conversation
from chatsite.errors import Refusal
from chatsite.generations.models import Generation
from chatsite.generations.submit import do_regenerate, do_submit
from chatsite.quotas.ledger import Spent, open_reservations, settle
from chatsite.quotas.models import Balance, DailyUsage, Grant, LedgerEntry
from inference.dispatch.store import Outcome
from inference.request import Usage
from inference.worker.owner import next_epoch
from inference.worker.recorder import Recorder
from tests.support.people import People, ask_of, submit
from tests.support.plans import assign, end


def booked(**filters: object) -> int:
    return LedgerEntry.objects.filter(**filters).aggregate(sum=Sum("tokens"))["sum"] or 0


def test_a_question_reserves_the_most_it_can_cost(people: People) -> None:
    job = Generation.objects.get(id=submit(people.alice).generation)
    assert booked(user=people.alice) == job.prompt_tokens + job.max_tokens


def test_the_end_settles_for_what_was_made(people: People) -> None:
    job = end(submit(people.alice), completion_tokens=7)
    assert booked(user=people.alice) == job.prompt_tokens + 7
    assert Balance.objects.get(user=people.alice).day_tokens == job.prompt_tokens + 7
    usage = DailyUsage.objects.get()
    assert (usage.requests, usage.prompt_tokens, usage.completion_tokens) == (1, job.prompt_tokens, 7)
    assert usage.model == "model-x"


@pytest.mark.parametrize("status", ["cancelled", "timed_out", "failed"])
def test_what_never_ran_is_released_wholly(people: People, status) -> None:
    end(submit(people.alice), status, 0, started=False)
    assert booked() == 0
    assert Balance.objects.get().day_tokens == 0
    assert not open_reservations().exists()
    assert not DailyUsage.objects.exists()


def test_a_fault_without_text_costs_nothing_and_one_with_text_what_it_made(people: People) -> None:
    end(submit(people.alice), "failed", 0)
    assert booked() == 0
    job = end(submit(people.alice), "interrupted", 5)
    assert booked() == job.prompt_tokens + 5


def test_stopping_costs_prompt_and_what_was_made(people: People) -> None:
    job = end(submit(people.alice), "cancelled", 2)
    assert booked() == job.prompt_tokens + 2


def test_settling_twice_books_once(people: People) -> None:
    done = submit(people.alice)
    end(done)
    before = booked()
    assert settle([Spent(done.generation, 500, 500)]) == 0
    assert booked() == before


def test_submitting_twice_with_one_id_reserves_once(people: People) -> None:
    ask = ask_of(people.alice)
    do_submit(ask, "Hello", None, None)
    do_submit(ask, "Hello", None, None)
    assert LedgerEntry.objects.count() == 1


def test_regenerating_is_booked_as_asking_is(people: People) -> None:
    done = submit(people.alice)
    do_regenerate(ask_of(people.alice), done.answer)
    assert LedgerEntry.objects.filter(kind="reserve").count() == 2


def test_a_spent_budget_refuses_before_anything_is_stored(people: People) -> None:
    assign(tokens_per_day=100, max_output=50)
    submit(people.alice, "Hi")
    with pytest.raises(Refusal, match=r"100 tokens a day, by plan Team \(site default\)") as refusal:
        submit(people.alice, "Hi")
    assert refusal.value.code == "quota_exceeded"
    assert refusal.value.retry_after_s is not None
    assert 0 < refusal.value.retry_after_s <= 86_400
    assert Generation.objects.count() == LedgerEntry.objects.count() == 1
    assert submit(people.bob, "Hi"), "another person has a budget of their own"


def test_the_month_refuses_where_the_day_would_not(people: People) -> None:
    assign(tokens_per_month=100, tokens_per_day=1000, max_output=75)
    submit(people.alice, "Hi")
    with pytest.raises(Refusal, match="100 tokens a month"):
        submit(people.alice, "Hi")


def test_what_is_larger_than_the_whole_budget_says_so(people: People) -> None:
    assign(tokens_per_day=10)
    with pytest.raises(Refusal, match="larger than the whole budget"):
        submit(people.alice)


def test_the_day_begins_anew(people: People) -> None:
    assign(tokens_per_day=100, max_output=75)
    submit(people.alice, "Hi")
    Balance.objects.update(day=timezone.localdate() - timedelta(days=1))
    submit(people.alice, "Hi")
    assert Balance.objects.get().day_tokens < 100


def test_a_settlement_after_midnight_leaves_the_new_day_alone(people: People) -> None:
    done = submit(people.alice, "Hi")
    yesterday = timezone.localdate() - timedelta(days=1)
    LedgerEntry.objects.filter(generation=done.generation).update(day=yesterday)
    Balance.objects.update(day_tokens=0)
    end(done)
    assert Balance.objects.get().day_tokens == 0
    assert set(LedgerEntry.objects.values_list("day", flat=True)) == {yesterday}


def test_a_grant_is_drawn_when_the_plan_is_spent_and_given_back_first(people: People) -> None:
    assign(tokens_per_day=100, max_output=75)
    grant = Grant.objects.create(
        user=people.alice, tokens=100, reason="report", ends_at=timezone.now() + timedelta(days=1)
    )
    submit(people.alice, "Hi")
    second = submit(people.alice, "Hi")
    grant.refresh_from_db()
    drawn = grant.used
    assert drawn > 0
    assert Balance.objects.get().day_tokens == 100
    job = end(second, completion_tokens=1)
    grant.refresh_from_db()
    plan_part = job.prompt_tokens + job.max_tokens - drawn
    assert grant.used == max(0, job.prompt_tokens + 1 - plan_part)


def test_a_grant_that_ended_or_is_empty_pays_nothing(people: People) -> None:
    assign(tokens_per_day=100, max_output=75)
    now = timezone.now()
    Grant.objects.create(user=people.alice, tokens=100, reason="old", ends_at=now - timedelta(seconds=1))
    Grant.objects.create(
        user=people.alice, tokens=100, used=100, reason="spent", ends_at=now + timedelta(days=1)
    )
    Grant.objects.create(user=people.bob, tokens=100, reason="his", ends_at=now + timedelta(days=1))
    submit(people.alice, "Hi")
    with pytest.raises(Refusal):
        submit(people.alice, "Hi")


def test_deleting_a_chat_or_an_account_keeps_the_totals(people: People) -> None:
    job = end(submit(people.alice))
    total = booked()
    person = LedgerEntry.objects.values_list("person", flat=True)[0]
    Conversation.objects.all().delete()
    people.alice.delete()
    assert not Generation.objects.filter(id=job.id).exists()
    assert booked(person=person, user=None) == total
    assert DailyUsage.objects.get(person=person).user_id is None


def test_a_chat_deleted_while_it_is_answered_is_paid_for(people: People) -> None:
    done = submit(people.alice)
    job = Generation.objects.get(id=done.generation)
    Conversation.objects.all().delete()
    usage = Usage(prompt_tokens=job.prompt_tokens, completion_tokens=4)
    Recorder(next_epoch()).do_finish([Outcome(str(job.id), 1, "finished", "stop", "text", "", 1, usage)])
    assert booked() == job.prompt_tokens + 4


def test_entries_are_never_changed(people: People) -> None:
    submit(people.alice)
    entry = LedgerEntry.objects.get()
    entry.tokens = 0
    with pytest.raises(TypeError, match="append an adjustment"):
        entry.save()


def test_a_plan_limits_context_answer_and_places(people: People) -> None:
    assign(max_context=40, max_output=10, max_active=1)
    job = Generation.objects.get(id=submit(people.alice, "Hi").generation)
    assert job.max_tokens == 10
    with pytest.raises(Refusal, match="1 of your questions"):
        submit(people.alice, "Hi")
    with pytest.raises(Refusal, match=r"the context of plan Team \(site default\) is 40"):
        submit(people.bob, "word " * 100)


def test_everything_is_recorded_where_nothing_is_limited(people: People) -> None:
    done = submit(people.alice)
    assert done.budgets == ()
    assert LedgerEntry.objects.filter(generation=done.generation, user=people.alice).exists()


def test_accepting_tells_how_the_person_stands(people: People) -> None:
    assign(tokens_per_day=100, max_output=75)
    (budget,) = do_submit(ask_of(people.alice, uuid4()), "Hi", None, None).budgets
    assert (budget.name, budget.limit, budget.warn) == ("day", 100, True)
    assert budget.used > 75
