"""`manage.py reconcile` finds what is wrong, mends what died, and says so by its exit code."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from types import ModuleType
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

import chatsite.generations.reconcile as generations_audit
from chatsite.conversations.models import Conversation
from chatsite.generations.models import Generation
from chatsite.generations.reconcile import dead_reservations, end_reservations
from chatsite.quotas import ledger_audit
from chatsite.quotas.ledger import open_reservations
from chatsite.quotas.models import Balance, DailyUsage, Grant, LedgerEntry
from tests.support.people import People, submit
from tests.support.plans import assign, end


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
    assert reconcile("--dry-run") == "0 differences, 0 repaired\n"


def test_a_reservation_of_a_dead_generation_is_ended_by_what_was_made(people: People) -> None:
    done = submit(people.alice)
    Generation.objects.filter(id=done.generation).update(
        status="interrupted", completion_tokens=5, usage={"prompt_tokens": 11, "completion_tokens": 5}
    )
    with pytest.raises(CommandError, match="2 differences remain"):
        reconcile("--dry-run")
    assert "1 repaired" in reconcile()
    assert Balance.objects.get().day_tokens == 16
    assert reconcile("--dry-run").startswith("0 differences")


def test_a_reservation_without_a_generation_is_given_back_when_it_is_old_enough(people: People) -> None:
    submit(people.alice)
    Conversation.objects.all().delete()
    assert reconcile().startswith("0 differences"), "it may still be running"
    assert "1 repaired" in reconcile("--gone-s", "0")
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


def between(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType, look: str, happens: Callable[[], object]
) -> None:
    """Have something happen right before this look of the audit, once: what a running site does meanwhile."""
    original, pending = getattr(module, look), [happens]

    def later(*args: Any, **kwargs: Any) -> Any:
        if pending:
            pending.pop()()
        return original(*args, **kwargs)

    monkeypatch.setattr(module, look, later)


@pytest.mark.parametrize("arguments", [["--dry-run"], []])
@pytest.mark.parametrize(
    ("module", "look"),
    [
        (generations_audit, "_rows"),
        (generations_audit, "_booked"),
        (ledger_audit, "_booked"),
        (ledger_audit, "_usage"),
        (ledger_audit, "_drawn"),
    ],
)
def test_what_ends_while_it_looks_is_no_difference(
    people: People, monkeypatch: pytest.MonkeyPatch, module: ModuleType, look: str, arguments: list[str]
) -> None:
    """Reservation, booking and sums change together, and the audit reads them one after the other."""
    end(submit(people.bob), "finished", 7)
    running = submit(people.alice)
    between(monkeypatch, module, look, lambda: end(running, "finished", 5))
    assert reconcile(*arguments) == "0 differences, 0 repaired\n"
    assert reconcile(*arguments) == "0 differences, 0 repaired\n"


def test_a_day_whose_first_booking_comes_between_two_reads(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no row yet that could be locked."""
    running, ended = submit(people.alice), []
    original = ledger_audit._booked

    def later(**where: Any) -> Any:
        if not where or ended:
            return original(**where)
        ended.append(end(running, "finished", 5))
        return original(**where)

    person = Balance.objects.get(user=people.alice).person
    key = dict(zip(ledger_audit.REPORT_KEY, (timezone.localdate(), person, "", "model-x"), strict=True))
    monkeypatch.setattr(ledger_audit, "_booked", later)
    monkeypatch.setattr(
        ledger_audit,
        "_kept",
        lambda: iter([{**key, "requests": 1, "prompt_tokens": 0, "completion_tokens": 0}]),
    )
    assert reconcile("--dry-run") == "0 differences, 0 repaired\n"
    assert ended


def test_a_grant_that_is_taken_back_meanwhile_ends_nothing(
    life: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    Grant.objects.update(used=0)
    drawn = ledger_audit._drawn

    def taken_back() -> Any:
        found = drawn()
        Grant.objects.all().delete()
        return found

    monkeypatch.setattr(ledger_audit, "_drawn", taken_back)
    assert reconcile("--dry-run").startswith("0 differences")


def test_an_answer_that_differs_from_its_booking_is_a_defect_and_stays_one(life: None) -> None:
    job = Generation.objects.filter(status="finished")[0]
    Generation.objects.filter(id=job.id).update(completion_tokens=999)
    with pytest.raises(CommandError, match="1 differences remain"):
        reconcile()
