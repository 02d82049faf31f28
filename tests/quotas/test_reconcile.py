"""`manage.py reconcile` finds what is wrong, mends what died, and says so by its exit code."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from chatsite.conversations.models import Conversation
from chatsite.generations.models import Generation
from chatsite.generations.reconcile import dead_reservations, end_reservations
from chatsite.quotas.actions import open_reservations
from chatsite.quotas.models import Balance, DailyUsage, Grant, LedgerEntry
from tests.people import People, submit
from tests.quotas.plans import assign, end


def reconcile(*arguments: str) -> str:
    out = StringIO()
    call_command("reconcile", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def life(people: People) -> None:
    """A little of everything: answered, cancelled, failed, granted, deleted, still waiting."""
    assign(user=people.alice, tokens_per_day=200, max_output=50)
    Grant.objects.create(
        user=people.alice, tokens=500, reason="r", ends_at=timezone.now() + timedelta(days=1)
    )
    for status, tokens in [("finished", 40), ("cancelled", 3), ("failed", 0), ("interrupted", 9)]:
        end(submit(people.alice), status, tokens)
    end(submit(people.alice, "another"), "finished", 50)
    submit(people.alice, "drawn from the grant " * 4)
    end(submit(people.bob), "cancelled", 0, started=False)
    end(submit(people.charlie))
    Conversation.objects.filter(owner=people.charlie).delete()
    people.charlie.delete()
    assert Grant.objects.get().used > 0


def test_a_healthy_site_is_clean(life: None) -> None:
    assert reconcile("--dry-run") == "0 differences, 0 mended\n"


def test_a_reservation_of_a_dead_generation_is_ended_by_what_was_made(people: People) -> None:
    done = submit(people.alice)
    Generation.objects.filter(id=done.generation).update(
        status="interrupted", completion_tokens=5, usage={"prompt_tokens": 11, "completion_tokens": 5}
    )
    with pytest.raises(CommandError, match="2 differences remain"):
        reconcile("--dry-run")
    assert "1 mended" in reconcile()
    assert Balance.objects.get().day_tokens == 16
    assert reconcile("--dry-run").startswith("0 differences")


def test_a_reservation_without_a_generation_is_given_back_when_it_is_old_enough(people: People) -> None:
    submit(people.alice)
    Conversation.objects.all().delete()
    assert reconcile().startswith("0 differences"), "it may still be running"
    assert "1 mended" in reconcile("--gone-s", "0")
    assert not open_reservations().exists()
    assert Balance.objects.get().day_tokens == 0


def test_the_running_site_ends_dead_reservations_by_itself(people: People) -> None:
    submit(people.alice)
    waiting = submit(people.bob)
    Conversation.objects.filter(owner=people.alice).delete()
    dead = dead_reservations(timezone.now() + timedelta(hours=2))
    assert waiting.generation not in dead
    assert end_reservations(dead) == 1
    assert open_reservations().get().generation == waiting.generation


@pytest.mark.parametrize(
    "spoil",
    [
        lambda: Balance.objects.update(day_tokens=1),
        lambda: Balance.objects.update(month_tokens=-1),
        lambda: Grant.objects.update(used=0),
        lambda: DailyUsage.objects.filter(requests__gt=1).update(requests=1),
        lambda: DailyUsage.objects.all().delete(),
        lambda: DailyUsage.objects.create(
            day=timezone.localdate(), person=LedgerEntry.objects.first().person
        ),
    ],
)
def test_a_wrong_sum_is_found_and_mended(life: None, spoil) -> None:
    spoil()
    with pytest.raises(CommandError, match="remain"):
        reconcile("--dry-run")
    reconcile()
    assert reconcile("--dry-run").startswith("0 differences")


def test_an_answer_that_differs_from_its_booking_is_a_defect_and_stays_one(life: None) -> None:
    job = Generation.objects.filter(status="finished")[0]
    Generation.objects.filter(id=job.id).update(completion_tokens=999)
    with pytest.raises(CommandError, match="1 differences remain"):
        reconcile()
