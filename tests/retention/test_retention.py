"""Retention: the policy, pinned ones, own days, what has just come in; and the console page."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from chatsite.accounts.models import User
from chatsite.audit.models import AuditEntry
from chatsite.cleanup import CleanupTask, cleanup_tasks
from chatsite.conversations.models import Conversation
from chatsite.generations.models import Generation
from chatsite.retention.cleanup import conversations_past_retention, erase_past_retention
from chatsite.retention.models import ConversationRetention, RetentionPolicy
from chatsite.transfer.export_rows import read_records_of
from chatsite.transfer.import_rows import do_store_record
from tests.support.jobs_client import client_of
from tests.support.people import People, submit

JSON = "application/json"


def aged(people: People, title: str, days: float, **fields: object) -> Conversation:
    """A conversation of alice's in which nobody wrote for so long."""
    id = submit(people.alice, title).conversation
    moment = timezone.now() - timedelta(days=days)
    Conversation.objects.filter(id=id).update(updated_at=moment, **fields)
    Generation.objects.update(status="finished")
    return Conversation.objects.get(id=id)


def left() -> set[str]:
    while erase_past_retention():
        pass
    return set(Conversation.objects.values_list("title", flat=True))


def test_without_a_policy_everything_stays(people: People) -> None:
    aged(people, "old", 10_000)
    assert left() == {"old"}


@pytest.mark.parametrize(("spare", "expected"), [(True, {"new", "pinned"}), (False, {"new"})])
def test_the_policy_and_what_is_pinned(people: People, spare: bool, expected: set[str]) -> None:
    RetentionPolicy.objects.create(days=30, spare_pinned=spare)
    for title, days, pinned in (("new", 29.9, False), ("old", 30.1, False), ("pinned", 31, True)):
        aged(people, title, days, pinned=pinned)
    assert left() == expected


def test_a_conversation_may_go_sooner_and_not_later(people: People) -> None:
    RetentionPolicy.objects.create(days=30)
    ConversationRetention.objects.create(conversation=aged(people, "sooner", 8, pinned=True), days=7)
    ConversationRetention.objects.create(conversation=aged(people, "not yet", 6), days=7)
    ConversationRetention.objects.create(conversation=aged(people, "later", 31), days=365)
    assert left() == {"not yet"}


def test_what_is_being_answered_stays(people: People) -> None:
    RetentionPolicy.objects.create(days=1)
    aged(people, "waits", 2)
    Generation.objects.update(status="queued")
    assert left() == {"waits"}


def test_an_old_conversation_is_not_erased_on_arrival(people: People) -> None:
    RetentionPolicy.objects.create(days=30)
    (record,) = read_records_of(people.alice.pk, [aged(people, "old", 400).id])
    do_store_record(people.bob.pk, record, "chatsite")
    assert left() == {"old"}
    ConversationRetention.objects.update(since=timezone.now() - timedelta(days=31))
    assert left() == set()


def test_many_go_in_small_parts(people: People) -> None:
    moment = timezone.now() - timedelta(days=9)
    rows = [Conversation(owner=people.alice, title=str(n), updated_at=moment) for n in range(120)]
    Conversation.objects.bulk_create(rows)
    RetentionPolicy.objects.create(days=7)
    assert [
        erase_past_retention(),
        erase_past_retention(),
        erase_past_retention(),
        erase_past_retention(),
    ] == [50, 50, 20, 0]
    assert CleanupTask(erase_past_retention) in cleanup_tasks()


def test_people_set_it_for_their_own(people: People) -> None:
    id = submit(people.alice, "Why?").conversation
    alice, path = client_of(people.alice), f"/api/conversations/{id}/keep"
    RetentionPolicy.objects.create(days=30)
    assert alice.get(path).json() == {"days": None, "site_days": 30, "spare_pinned": True}
    assert alice.put(path, {"days": 7}, JSON).json()["days"] == 7
    assert alice.put(path, {"days": 0}, JSON).status_code == 400
    assert alice.put(path, {"days": None}, JSON).json()["days"] is None
    for other in (people.bob, people.charlie):
        assert client_of(other).put(path, {"days": 1}, JSON).status_code == 404
        assert client_of(other).get(path).status_code == 404


def test_the_console_changes_it_and_notes_it(people: People) -> None:
    admin = client_of(User.objects.create_user("admin@example.org", is_staff=True))
    page = admin.get("/admin/archive/retentionpolicy/", follow=True)
    assert page.redirect_chain[-1][0].endswith("/1/change/")
    assert admin.post("/admin/retention/retentionpolicy/1/change/", {"days": "90"}).status_code == 302
    policy = RetentionPolicy.objects.get()
    assert (policy.days, policy.spare_pinned) == (90, False)
    entry = AuditEntry.objects.get()
    assert (entry.before, entry.after) == (
        {"days": None, "spare_pinned": True}, {"days": 90, "spare_pinned": False},
    )  # fmt: skip
    assert admin.post("/admin/retention/retentionpolicy/1/change/", {"days": "0"}).status_code == 200
    auditor = client_of(User.objects.create_user("a@example.org", is_staff=True, is_auditor=True))
    assert auditor.post("/admin/retention/retentionpolicy/1/change/", {"days": "1"}).status_code == 403
    assert client_of(people.bob).get("/admin/retention/retentionpolicy/").status_code == 302


def test_the_command_says_what_is_due_and_erases_it(people: People, capsys) -> None:
    RetentionPolicy.objects.create(days=30)
    aged(people, "old", 40)
    call_command("retention")
    assert "1 are due" in capsys.readouterr().out
    assert conversations_past_retention(timezone.now()).count() == 1
    call_command("retention", erase=True)
    assert "1 of 1 erased" in capsys.readouterr().out
    assert json.dumps(list(Conversation.objects.values_list("title"))) == "[]"
