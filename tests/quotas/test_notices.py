"""Told at 80 and 100 % of a budget, once per window, by page and by mail; put away everywhere at once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.core import mail as mailbox
from django.test import Client
from django.utils import timezone

from chatsite.quotas.budgets import step_of
from chatsite.quotas.models import Balance, BudgetNotice
from chatsite.quotas.notices import do_note_budgets, mail, read_notices
from tests.support.people import People, make_user, submit
from tests.support.plans import assign, end
from tests.support.socket import open_socket


def use(user, tokens: int, at=None) -> None:
    """So many tokens in the windows of a moment."""
    day = timezone.localdate(at or timezone.now(), timezone.get_default_timezone())
    month = day.replace(day=1)
    Balance.objects.update_or_create(
        user=user, defaults={"day": day, "month": month, "day_tokens": tokens, "month_tokens": tokens}
    )


def noted(at=None) -> list[tuple[str, str, int]]:
    return [(one.user.name, one.budget, one.percent) for one in do_note_budgets(at or timezone.now())]


@pytest.mark.parametrize(
    ("used", "limit", "step"),
    [(79, 100, 0), (80, 100, 80), (99, 100, 80), (100, 100, 100), (5, 0, 0), (5, None, 0)],
)
def test_steps(used: int, limit: int | None, step: int) -> None:
    assert step_of(used, limit) == step


def test_each_step_is_told_once_in_a_window(people: People) -> None:
    assign(tokens_per_day=1000, tokens_per_month=10_000)
    now = timezone.now()
    use(people.alice, 799)
    use(people.bob, 10)
    assert noted() == []
    use(people.alice, 801)
    assert noted() == [("Alice", "day", 80)]
    assert noted() == []
    use(people.alice, 1000)
    assert noted() == [("Alice", "day", 100)]
    use(people.alice, 900)  # given back: what was told stays told
    assert noted() == []
    tomorrow = now + timedelta(days=1)
    use(people.alice, 850, tomorrow)
    assert noted(tomorrow) == [("Alice", "day", 80)]


def test_the_higher_step_alone_where_both_are_passed_at_once(people: People) -> None:
    assign(tokens_per_month=100)
    use(people.alice, 150)
    assert noted() == [("Alice", "month", 100)]


def test_what_is_only_reserved_does_not_count(people: People) -> None:
    assign(tokens_per_day=1000, max_output=800)
    done = submit(people.alice)
    assert Balance.objects.get(user=people.alice).day_tokens > 800
    assert noted() == []
    end(done, completion_tokens=800)
    assert noted() == [("Alice", "day", 80)]


def test_who_is_not_active_and_who_has_no_limit_hears_nothing(people: People) -> None:
    assign(user=people.alice, tokens_per_day=10)
    use(people.alice, 10)
    use(people.bob, 10**9)
    people.alice.is_active = False
    people.alice.save()
    assert noted() == []


def test_mail_goes_out_in_the_persons_language_where_there_is_a_server(people: People, settings) -> None:
    assign(tokens_per_day=100)
    people.alice.language = "zh-hans"
    people.alice.save()
    use(people.alice, 80)
    use(people.bob, 100)
    fresh = do_note_budgets(timezone.now())
    settings.SENDS_MAIL = False
    mail(fresh)
    assert mailbox.outbox == []
    settings.SENDS_MAIL = True
    mail(fresh)
    letters = {letter.to[0]: letter for letter in mailbox.outbox}
    assert letters.keys() == {"alice@example.org", "bob@example.org"}
    assert letters["alice@example.org"].subject == "今日额度已用 80%"
    assert letters["bob@example.org"].subject == "Your budget for today is used up"
    tomorrow = timezone.localdate() + timedelta(days=1)
    assert f"{tomorrow} 00:00" in letters["bob@example.org"].body


def test_a_mail_server_that_is_gone_breaks_nothing(people: People, settings) -> None:
    assign(tokens_per_day=100)
    use(people.alice, 100)
    settings.SENDS_MAIL = True
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    mail(do_note_budgets(timezone.now()))
    assert read_notices(people.alice.pk, timezone.now())[0].percent == 100


def test_only_ones_own_and_only_until_put_away(people: People) -> None:
    assign(tokens_per_day=100)
    use(people.alice, 80)
    use(people.bob, 80)
    do_note_budgets(timezone.now())
    client = Client()
    assert client.post("/api/usage/notices/seen").status_code == 401
    client.force_login(people.alice)
    assert client.post("/api/usage/notices/seen").status_code == 204
    now = timezone.now()
    assert read_notices(people.alice.pk, now) == ()
    assert [one.percent for one in read_notices(people.bob.pk, now)] == [80]
    assert BudgetNotice.objects.filter(seen_at=None).count() == 1
    assert read_notices(people.bob.pk, now + timedelta(days=40)) == (), "its window is over"


@pytest.mark.django_db(transaction=True)
async def test_open_pages_are_told() -> None:
    alice = await sync_to_async(make_user)("alice")
    await sync_to_async(assign)(tokens_per_day=100)
    await sync_to_async(use)(alice, 90)
    await sync_to_async(do_note_budgets)(timezone.now())
    socket = await open_socket(alice)
    (notice,) = (await socket.frame("quota"))["notices"]
    assert (notice["budget"], notice["percent"]) == ("day", 80)
    client = Client()
    await sync_to_async(client.force_login)(alice)
    await sync_to_async(client.post)("/api/usage/notices/seen")
    assert (await socket.frame("quota"))["notices"] == []
    await socket.disconnect()
