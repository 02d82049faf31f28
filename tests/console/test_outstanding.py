"""What somebody set in motion ends when they are deactivated or get a lesser role, but for what is kept."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone

from chatsite.accounts.groups import do_invite_member, do_set_managers
from chatsite.accounts.invitations import do_invite
from chatsite.accounts.keys import do_create_key, find_key
from chatsite.accounts.models import ApiKey, Invitation, Role, User
from chatsite.attachments.chosen import AttachmentChoice
from chatsite.audit.models import AuditEntry
from chatsite.batches.actions import do_begin_batch
from chatsite.batches.models import Item
from chatsite.batches.submission import due_items, submit_item
from chatsite.console.outstanding import KINDS, is_demotion
from chatsite.conversations.actions import do_delete_conversations
from chatsite.conversations.models import Share
from chatsite.conversations.sharing import do_share
from chatsite.generations.models import Generation
from chatsite.jobs.actions import folder_of
from chatsite.jobs.models import Job
from inference.request import Sampling
from tests.support.documents import store
from tests.support.people import People, submit
from tests.support.staff import make_staff, signed_in

NAMES = [kind.name for kind in KINDS]


@pytest.fixture(autouse=True)
def data_dir(settings, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path


@pytest.fixture
def owner(db: None) -> Client:
    return signed_in(make_staff("olga", Role.OWNER))


@pytest.fixture
def ada(people: People) -> User:
    """An administrator who has set one of each in motion, and exported somebody's conversations."""
    ada = make_staff("ada", Role.ADMINISTRATOR)
    do_invite("", Role.AUDITOR, None, timezone.now() + timedelta(days=1), ada)
    do_share(ada.pk, submit(ada).answer, public=True)
    job = Job.objects.create(
        owner=people.alice, asked_by=ada, kind="export", status=Job.Status.FINISHED, file="chatsite.zip"
    )
    folder_of(job.id).mkdir(parents=True)
    documents = [AttachmentChoice(store(ada, f"{number}.txt").id) for number in range(2)]
    do_begin_batch(ada.pk, "Sum up", documents, None, Sampling())
    submit_item(due_items()[0], 0, None)
    do_create_key(ada.pk, "a script", ["chat"])
    return ada


def change(client: Client, user: User, **fields: object) -> None:
    form = {"email": user.email, "name": user.name, "role": user.role, "is_active": "on", **fields}
    answer = client.post(f"/admin/accounts/user/{user.pk}/change/", form)
    assert answer.status_code == 302, answer.content.decode()


def left(user: User) -> dict[str, int]:
    return {kind.name: kind.rows(user.pk).count() for kind in KINDS}


ALL, NONE = dict.fromkeys(NAMES, 1), dict.fromkeys(NAMES, 0)
LESSER = [{"is_active": ""}, {"role": "auditor"}, {"role": "member"}]


def test_the_page_lists_it_and_offers_to_keep_it(owner: Client, ada: User) -> None:
    page = owner.get(f"/admin/accounts/user/{ada.pk}/change/").content.decode()
    for kind in KINDS:
        assert f"{kind.label} (1)" in page
        assert f'name="keep" value="{kind.name}"' in page
    assert "checked" not in page.partition('name="keep"')[2].partition("</fieldset>")[0], "it ends by default"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("fields", LESSER)
def test_all_of_it_ends_by_default(owner: Client, ada: User, fields: dict[str, str]) -> None:
    assert left(ada) == ALL
    folder = folder_of(Job.objects.get().id)
    change(owner, ada, **fields)
    assert left(ada) == NONE
    assert not folder.exists()
    entry = AuditEntry.objects.get(action="ended what was set in motion")
    assert entry.before == ALL
    assert ada.email in entry.subject


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fields", LESSER)
def test_what_is_ticked_stays(owner: Client, ada: User, fields: dict[str, str], name: str) -> None:
    change(owner, ada, **fields, keep=name)
    stays = {"keys", "shares", "invitations", "exports", "batches"} & {name}
    assert left(ada) == NONE | dict.fromkeys(stays, 1)


@pytest.mark.parametrize("fields", [{"role": "owner"}, {"name": "Ada"}, {}])
def test_any_other_change_ends_nothing(owner: Client, ada: User, fields: dict[str, str]) -> None:
    change(owner, ada, **fields)
    assert left(ada) == ALL


def test_it_does_not_come_back_with_the_account(owner: Client, ada: User) -> None:
    change(owner, ada, is_active="")
    ada.refresh_from_db()
    change(owner, ada, is_active="on")
    assert left(ada) == NONE


def test_what_runs_by_a_key_or_in_a_batch_stops(owner: Client, ada: User) -> None:
    key, text = do_create_key(ada.pk, "another", ["chat"])
    submit_by_key = Generation.objects.get(id=submit(ada).generation)
    Generation.objects.filter(id=submit_by_key.id).update(api_key=key)
    in_batch = Item.objects.get(state=Item.State.SUBMITTED).generation
    change(owner, ada, role="auditor")
    assert find_key(text) is None
    assert Generation.objects.get(id=submit_by_key.id).cancel_requested
    assert in_batch is not None
    assert Generation.objects.get(id=in_batch.id).cancel_requested


def test_what_is_over_is_neither_listed_nor_taken_away(owner: Client, ada: User) -> None:
    now = timezone.now()
    used, _ = do_invite("", Role.MEMBER, None, now + timedelta(days=1), ada)
    Invitation.objects.filter(pk=used.pk).update(used_at=now)
    ended, _ = do_invite("", Role.MEMBER, None, now - timedelta(seconds=1), ada)
    batch = do_begin_batch(ada.pk, "Again", [AttachmentChoice(store(ada, "3.txt").id)], None, Sampling())
    do_delete_conversations(ada.pk, [batch.pk])
    assert left(ada) == ALL
    change(owner, ada, is_active="")
    assert set(Invitation.objects.filter(created_by=ada)) == {used, ended}


def test_others_keep_what_is_theirs(owner: Client, ada: User, people: People) -> None:
    do_create_key(people.bob.pk, "a script", ["chat"])
    do_share(people.bob.pk, submit(people.bob).answer, public=False)
    do_invite("", Role.MEMBER, None, timezone.now() + timedelta(days=1), people.bob)
    Job.objects.create(owner=people.bob, asked_by=people.bob, kind="export", status=Job.Status.QUEUED)
    assert left(ada) == ALL
    change(owner, ada, is_active="")
    assert (ApiKey.objects.filter(revoked_at=None).count(), Share.objects.count()) == (1, 1)
    assert Invitation.objects.get().created_by == people.bob


def test_a_former_managers_invitations_end(owner: Client, people: People) -> None:
    team, other = Group.objects.create(name="team"), Group.objects.create(name="other")
    for group in (team, other):
        do_set_managers(group, [people.alice, people.bob])
        for manager in (people.alice, people.bob):
            do_invite_member(manager, group, f"{manager.name}.{group.name}@example.org")
    ada = make_staff("ada", Role.ADMINISTRATOR)
    do_set_managers(team, [people.alice, people.bob, ada])
    do_invite_member(ada, team, "hers@example.org")
    owner.post(f"/admin/auth/group/{team.pk}/change/", {"name": "team", "managers": people.bob.pk})
    there = set(Invitation.objects.values_list("email", flat=True))
    assert there == {
        "hers@example.org", "bob.team@example.org", "alice.other@example.org", "bob.other@example.org"
    }, "an administrator needs to manage no group to invite into it"  # fmt: skip
    assert AuditEntry.objects.get(action="ended what was set in motion").before == {"invitations": 1}


@pytest.mark.parametrize("before", Role)
@pytest.mark.parametrize("after", Role)
def test_what_a_demotion_is(before: Role, after: Role) -> None:
    order = ["member", "auditor", "administrator", "owner"]
    assert is_demotion(before, after) == (order.index(after) < order.index(before))
