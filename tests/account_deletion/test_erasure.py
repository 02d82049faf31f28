"""The end of an account: nothing is left, the check would see if it were, and the sums name nobody."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import models
from django.db.models import Sum
from django.test import AsyncClient, Client
from django.utils import timezone

from chatsite.account_deletion.erasure import continue_account_deletions, do_request_account_deletion
from chatsite.account_deletion.models import AccountDeletion
from chatsite.account_deletion.proof import what_remains
from chatsite.accounts.models import Invitation, Role, User
from chatsite.attachments.models import Attachment
from chatsite.attachments.storage import do_store_file, file_path, incoming_path
from chatsite.audit.models import AuditEntry
from chatsite.audit.record import record
from chatsite.conversations.models import Conversation, Feedback, Instructions, Preset, Prompt
from chatsite.conversations.scrub import scrub_files
from chatsite.errors import Refusal
from chatsite.generations.models import Generation
from chatsite.generations.reconcile import reconcile
from chatsite.jobs.actions import do_create_job, folder_of
from chatsite.jobs.models import Job
from chatsite.quotas.models import DailyUsage, Grant, LedgerEntry, Plan, PlanAssignment
from inference.dispatch.store import Claim, Outcome
from inference.request import Usage
from inference.worker.owner import next_epoch
from inference.worker.recorder import Recorder
from tests.support.jobs_client import client_of, post
from tests.support.people import PASSWORD, People, make_user, submit
from tests.support.staff import make_staff


def live_a_little(user: User) -> None:
    """Something of everything that a person leaves behind."""
    done = submit(user, "杭州西湖 secret")
    submit(user, "still waiting")
    recorder = Recorder(next_epoch())
    recorder.do_claim([Claim(str(done.generation), 1)])
    usage = Usage(prompt_tokens=5, completion_tokens=3)
    recorder.do_finish([Outcome(str(done.generation), 1, "finished", "stop", "答案", "", 3, usage)])
    Feedback.objects.create(message_id=done.answer, value=1, comment="good")
    Preset.objects.create(owner=user, name="brief")
    Prompt.objects.create(owner=user, name="sum", content="x")
    Instructions.objects.create(owner=user, text="x")
    Grant.objects.create(user=user, tokens=5, reason="x", ends_at=timezone.now(), created_by=user)
    PlanAssignment.objects.create(plan=Plan.objects.create(name=f"plan {user.pk}"), user=user)
    Invitation.objects.create(digest=str(user.pk), email=user.email, ends_at=timezone.now(), used_by=user)
    record(user, "changed", user, {"email": user.email}, {"name": user.name})
    document = Attachment.objects.create(owner=user, name="x.txt", size=1)
    incoming_path(document.id).write_bytes(b"x")
    do_store_file(document.id)
    job = do_create_job(user.pk, user.pk, Job.Kind.EXPORT, {"format": "json"})
    folder_of(job.id).mkdir(parents=True)
    client_of(user)
    client_of(user).get("/")


def erase_all() -> None:
    while continue_account_deletions() or scrub_files():
        pass


def rows_of(user: User) -> list[str]:
    """What there is of somebody but for bytes in files, which move."""
    return [line for line in what_remains(user.pk, user.email) if " times " not in line]


@pytest.mark.django_db(transaction=True)
def test_nothing_is_left(db: None) -> None:
    alice, bob = make_user("alice"), make_user("bob")
    for user in (alice, bob):
        live_a_little(user)
    record(bob, "exported all conversations", alice)
    assert len(list(what_remains(alice.pk, alice.email))) >= 20
    before = rows_of(bob)
    tokens = LedgerEntry.objects.aggregate(Sum("tokens"))
    do_request_account_deletion(alice.pk, alice.pk)
    erase_all()
    assert list(what_remains(alice.pk, alice.email)) == []
    assert rows_of(bob) == before
    assert set(DailyUsage.objects.values_list("user", "prompt_tokens")) == {(None, 5), (bob.pk, 5)}
    assert not list(reconcile(repair=False))
    assert tokens["tokens__sum"] > LedgerEntry.objects.aggregate(Sum("tokens"))["tokens__sum"] > 0
    assert AuditEntry.objects.filter(subject__contains="former member").count() == 3
    assert not Attachment.objects.filter(owner=alice.pk).exists()
    call_command("check_erased", alice.pk, email=alice.email)


@pytest.mark.django_db(transaction=True)
def test_the_check_sees_each_thing_that_is_left(db: None) -> None:
    """Not one relation to people is overlooked: a row of each model, made by hand, is reported."""
    alice = make_user("alice")
    live_a_little(alice)
    found = "\n".join(what_remains(alice.pk, alice.email))
    related = [
        f"{model._meta.label}.{field.name}"
        for model in (Conversation, Generation, Attachment, Preset, Prompt, Instructions, Grant, Job,
                      PlanAssignment, LedgerEntry, DailyUsage, AuditEntry)
        for field in model._meta.get_fields()
        if isinstance(field, models.ForeignKey) and field.related_model is User
    ]  # fmt: skip
    assert related
    assert not [name for name in related if name not in found]
    assert " sessions" in found
    assert "AuditEntry.actor_name that name the address" in found
    stray = file_path(Attachment.objects.get().id)
    Attachment.objects.all().delete()
    assert stray.exists()
    assert "1 files of documents without a row" in list(what_remains(alice.pk))
    with pytest.raises(CommandError):
        call_command("check_erased", alice.pk)


def test_every_relation_to_people_ends_with_them() -> None:
    """A model that comes later must say what becomes of its rows: they go, or they forget the person."""
    kept = [
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models(include_auto_created=True)
        for field in model._meta.get_fields()
        if isinstance(field, models.ForeignKey) and field.related_model is User
        and field.remote_field.on_delete not in (models.CASCADE, models.SET_NULL)
    ]  # fmt: skip
    assert not kept


def test_a_person_erases_their_own_account_by_password(db: None) -> None:
    alice = make_user("alice", PASSWORD)
    client, other = client_of(alice), client_of(alice)
    assert client.get("/api/account").json() == {"proof": "password"}
    refused = post(client, "/api/account", {"proof": "wrong"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "wrong_password")
    assert not AccountDeletion.objects.exists()
    assert post(client, "/api/account", {"proof": PASSWORD}).status_code == 204
    assert {one.get("/api/account").status_code for one in (client, other)} == {401}
    alice.refresh_from_db()
    assert not alice.is_active
    erase_all()
    assert not User.objects.exists()


def test_guesses_are_counted(db: None, one_window: None) -> None:
    client = client_of(make_user("alice", PASSWORD))
    answers = [post(client, "/api/account", {"proof": "wrong"}).status_code for _ in range(12)]
    assert (answers[0], answers[-1]) == (403, 429)


def test_who_signs_in_elsewhere_types_their_address(people: People) -> None:
    client = client_of(people.alice)
    people.alice.set_unusable_password()
    people.alice.save()
    client = client_of(people.alice)
    assert client.get("/api/account").json() == {"proof": "email"}
    assert post(client, "/api/account", {"proof": "bob@example.org"}).status_code == 403
    assert post(client, "/api/account", {"proof": "Alice@example.org "}).status_code == 204


def test_the_last_owner_stays(db: None) -> None:
    owner = User.objects.create_superuser("owner@example.org", PASSWORD)
    with pytest.raises(Refusal, match="last owner"):
        do_request_account_deletion(owner.pk, owner.pk)
    with pytest.raises(CommandError, match="last owner"):
        call_command("erase_account", owner.email, yes=True)


def test_an_account_that_is_activated_again_stays(people: People) -> None:
    submit(people.alice, "Why?")
    do_request_account_deletion(people.alice.pk, None)
    User.objects.update(is_active=True)
    assert continue_account_deletions() == 0
    assert not AccountDeletion.objects.exists()
    assert Conversation.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_command_erases_and_proves_it(db: None, capsys: pytest.CaptureFixture[str]) -> None:
    alice = make_user("alice")
    live_a_little(alice)
    call_command("erase_account", "ALICE@example.org", yes=True)
    assert "finds nothing" in capsys.readouterr().out
    with pytest.raises(CommandError, match="no such account"):
        call_command("erase_account", "alice@example.org", yes=True)


def staff(name: str, **fields: bool) -> Client:
    return client_of(User.objects.create_user(f"{name}@example.org", is_staff=True, **fields))


@pytest.fixture
def leaver_jobs_at_once(monkeypatch) -> None:
    from chatsite.account_deletion import console
    from chatsite.jobs.worker import do_run_job

    monkeypatch.setattr(console, "start_job_after_commit", do_run_job)


async def fetched(user: User, path: str) -> tuple[int, bytes]:
    client = AsyncClient()
    await client.aforce_login(user)
    response = await client.get(path)
    if not response.streaming:
        return response.status_code, b""
    return response.status_code, b"".join([part async for part in response.streaming_content])


@pytest.mark.usefixtures("leaver_jobs_at_once")
def test_by_default_a_leavers_export_is_for_the_person_alone(people: People) -> None:
    submit(people.alice, "Why?")
    ada, path = make_staff("ada", Role.ADMINISTRATOR), f"/admin/people/{people.alice.pk}/leaving"
    admin = client_of(ada)
    assert "for the person alone" in admin.post(path, {"format": "json"}, follow=True).content.decode()
    job = Job.objects.get()
    assert "chatsite-json.zip" not in admin.get(path).content.decode()
    for way in (f"/api/archive/{job.id}/file", f"{path}/{job.id}"):
        assert admin.get(way).status_code == 404
    status, content = async_to_sync(fetched)(people.alice, f"/api/archive/{job.id}/file")
    assert (status, content[:2]) == (200, b"PK")
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.after["for"]) == ("exported all conversations", "the person")


@pytest.mark.usefixtures("leaver_jobs_at_once")
def test_each_download_by_staff_is_audited_and_ends_with_the_policy(people: People, settings) -> None:
    settings.STAFF_MAY_READ = True
    submit(people.alice, "Why?")
    ada, path = make_staff("ada", Role.ADMINISTRATOR), f"/admin/people/{people.alice.pk}/leaving"
    admin = client_of(ada)
    admin.post(path, {"format": "json"})
    job = Job.objects.get()
    assert f"{path}/{job.id}" in admin.get(path).content.decode()
    assert admin.get(f"/api/archive/{job.id}/file").status_code == 404, "no way around the audit"
    status, content = async_to_sync(fetched)(ada, f"{path}/{job.id}")
    assert (status, content[:2]) == (200, b"PK")
    entry = AuditEntry.objects.get(action="downloaded all conversations")
    assert (entry.actor_name, entry.subject) == ("ada@example.org", "person alice@example.org")
    other = make_staff("olga", Role.OWNER)
    assert client_of(other).get(f"{path}/{job.id}").status_code == 404, "for who asked alone"
    settings.STAFF_MAY_READ = False
    assert admin.get(f"{path}/{job.id}").status_code == 404
    assert AuditEntry.objects.filter(action="downloaded all conversations").count() == 1


@pytest.mark.usefixtures("leaver_jobs_at_once")
def test_the_console_exports_for_a_leaver_and_says_so_in_the_audit(people: People, settings) -> None:
    settings.STAFF_MAY_READ = True
    submit(people.alice, "Why?")
    admin, path = staff("admin"), f"/admin/people/{people.alice.pk}/leaving"
    assert admin.post(path, {"format": "markdown"}).status_code == 302
    assert "chatsite-md.zip" in admin.get(path).content.decode()
    entry = AuditEntry.objects.get(action="exported all conversations")
    assert (entry.actor_name, entry.after["conversations"]) == ("admin@example.org", 1)
    id = Job.objects.get().id
    assert client_of(people.alice).get(f"/api/archive/{id}").status_code == 404
    assert staff("auditor", is_auditor=True).get(path).status_code == 403
    assert client_of(people.bob).get(path).status_code == 302


def test_the_console_erases_by_the_typed_address(people: People) -> None:
    admin, path = staff("admin"), f"/admin/people/{people.alice.pk}/leaving"
    admin.post(path, {"erase": "1", "email": "bob@example.org"})
    assert not AccountDeletion.objects.exists()
    admin.post(path, {"erase": "1", "email": "alice@example.org"})
    erase_all()
    assert not User.objects.filter(pk=people.alice.pk).exists()
    entries = list(AuditEntry.objects.order_by("id").values_list("actor_name", "action", "subject"))
    assert [entry[:2] for entry in entries] == [
        ("admin@example.org", "asked to erase"),
        ("admin@example.org", "erased"),
    ]
    assert "alice" not in json.dumps(entries).lower()


def test_owners_are_erased_by_owners_alone(people: People) -> None:
    owner = User.objects.create_superuser("owner@example.org")
    assert staff("admin").get(f"/admin/people/{owner.pk}/leaving").status_code == 403


def test_what_was_erased_is_not_asked_for_a_second_time(people: People) -> None:
    do_request_account_deletion(people.alice.pk, people.alice.pk)
    do_request_account_deletion(people.alice.pk, people.bob.pk)
    asked = AccountDeletion.objects.get()
    assert asked.asked_by_id == people.alice.pk
    assert timezone.now() - asked.asked_at < timedelta(minutes=1)
