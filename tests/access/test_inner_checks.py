"""Checks behind another check: no row of the matrix comes so far, so each is asked by itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.admin import site as console
from django.contrib.auth.models import Group
from django.test import RequestFactory
from django.utils import timezone

from chatsite.account_deletion.models import AccountDeletion
from chatsite.accounts import invitations
from chatsite.accounts.keys import do_create_key, do_revoke_key
from chatsite.accounts.models import ApiKey, Invitation, Role, User
from chatsite.api import opened
from chatsite.attachments.models import Attached
from chatsite.audit.models import AuditEntry
from chatsite.console.access import may_use_console
from chatsite.console.live import may_act
from chatsite.console.people import GroupForm
from chatsite.conversations import library
from chatsite.conversations.actions import conversations_due_for_erasure
from chatsite.conversations.library import do_save
from chatsite.conversations.messages import check_not_deleted, do_delete_message
from chatsite.conversations.models import Conversation, Message, Prompt, SearchEntry
from chatsite.conversations.search import rebuild
from chatsite.errors import Refusal
from chatsite.generations.access import active_generations
from chatsite.generations.models import Generation
from chatsite.generations.submit import do_submit
from chatsite.pages.groups import read_group
from chatsite.transfer.export_rows import exportable, read_records_of
from tests.support.documents import attach, store
from tests.support.people import People, ask_of, submit
from tests.support.plans import end
from tests.support.staff import make_staff, signed_in


def temporary(user: User) -> UUID:
    return do_submit(ask_of(user), "For now", None, None, temporary=True).conversation


# --- what happens in the same moment, or twice -----------------------------------------------------


def test_an_invitation_that_another_request_has_seen_too_is_used_once(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second request has read the row before the first has marked it."""
    ada = make_staff("ada", Role.ADMINISTRATOR)
    row, token = invitations.do_invite("", Role.MEMBER, None, timezone.now() + timedelta(days=1), ada)
    monkeypatch.setattr(invitations, "access_invitation", lambda *_: row)
    invitations.do_accept(token, "first@example.org", "First", "a quiet river")
    with pytest.raises(Refusal, match="was used"):
        invitations.do_accept(token, "second@example.org", "Second", "a quiet river")
    assert Invitation.objects.get(pk=row.pk).used_by == User.objects.get(email="first@example.org")


def test_a_key_is_revoked_once(people: People) -> None:
    key = do_create_key(people.alice.pk, "a", ApiKey.Scope.values)[0]
    do_revoke_key(key.id)
    first = ApiKey.objects.get(id=key.id).revoked_at
    do_revoke_key(key.id)
    assert ApiKey.objects.get(id=key.id).revoked_at == first


def test_the_console_notes_no_key_that_was_revoked_before(people: People) -> None:
    key = do_create_key(people.alice.pk, "a", ApiKey.Scope.values)[0]
    do_revoke_key(key.id)
    browser = signed_in(make_staff("ada", Role.ADMINISTRATOR))
    form = {"action": "revoke", "_selected_action": [str(key.id)]}
    assert browser.post("/admin/accounts/apikey/", form).status_code == 302
    assert not AuditEntry.objects.filter(action="revoked").exists()


def test_what_was_deleted_before_stays_so_when_the_rest_follows(people: People) -> None:
    first = submit(people.alice)
    end(first)
    later = submit(people.alice, conversation=first.conversation, parent=first.answer)
    end(later)
    do_delete_message(people.alice.pk, later.message)
    before = Message.objects.get(id=later.message).deleted_at
    do_delete_message(people.alice.pk, first.message)
    assert Message.objects.get(id=later.message).deleted_at == before


def test_nothing_follows_a_message_that_has_just_been_deleted(people: People) -> None:
    done = submit(people.alice)
    end(done)
    check_not_deleted(done.answer)
    do_delete_message(people.alice.pk, done.message)
    with pytest.raises(Refusal, match="has been deleted"):
        check_not_deleted(done.answer)


# --- roles -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "is_active"), [(Role.ADMINISTRATOR, True), (Role.MEMBER, True), (Role.OWNER, False)]
)
def test_the_last_active_owner_stays_one(people: People, role: Role, is_active: bool) -> None:
    """However many others there are who are none, or have left."""
    olga, other = make_staff("olga", Role.OWNER), make_staff("other", role)
    User.objects.filter(pk=other.pk).update(is_active=is_active)
    form = {"email": olga.email, "name": olga.name, "role": Role.MEMBER, "is_active": "on"}
    page = signed_in(olga).post(f"/admin/accounts/user/{olga.pk}/change/", form)
    assert "This is the last owner." in page.content.decode()
    assert User.objects.get(pk=olga.pk).role == Role.OWNER


def test_who_has_left_is_not_offered_as_a_manager_nor_shown_as_a_member(people: People) -> None:
    team = Group.objects.create(name="team")
    team.user_set.add(people.alice, people.bob)
    User.objects.filter(pk=people.bob.pk).update(is_active=False)
    assert people.bob not in GroupForm().fields["managers"].queryset  # type: ignore[attr-defined]
    assert people.alice in GroupForm().fields["managers"].queryset  # type: ignore[attr-defined]
    assert [one["person"] for one in read_group(team)["members"]] == [people.alice]


@pytest.mark.parametrize("role", Role)
def test_the_console_is_for_active_staff(db: None, role: Role) -> None:
    user = make_staff("somebody", role)
    assert may_use_console(user) == user.is_staff == (role != Role.MEMBER)
    assert may_act(user) == (role in (Role.OWNER, Role.ADMINISTRATOR))
    user.is_active = False
    assert not may_use_console(user)


@pytest.mark.parametrize("role", Role)
def test_a_person_is_changed_by_who_may_change(people: People, rf: RequestFactory, role: Role) -> None:
    request = rf.get("/")
    request.user = make_staff("somebody", role)  # type: ignore[assignment]
    may = console._registry[User].has_change_permission(request, people.alice)
    assert may == (role in (Role.OWNER, Role.ADMINISTRATOR))


@pytest.mark.parametrize("may_read", [True, False])
def test_staff_that_may_not_read_is_shown_no_way_to(people: People, settings: Any, may_read: bool) -> None:
    settings.STAFF_MAY_READ = may_read
    browser = signed_in(make_staff("ada", Role.ADMINISTRATOR))
    page = browser.get(f"/admin/accounts/user/{people.alice.pk}/change/").content.decode()
    assert (f"/admin/read/{people.alice.pk}/" in page) == may_read


def test_a_page_says_of_nobody_else_that_the_account_is_erased(people: People) -> None:
    AccountDeletion.objects.create(user=people.bob)
    browser = signed_in(make_staff("ada", Role.ADMINISTRATOR))
    pages = [browser.get(f"/admin/people/{one.pk}/leaving") for one in (people.alice, people.bob)]
    assert ["It will be erased" in page.content.decode() for page in pages] == [False, True]


# --- whose rows ------------------------------------------------------------------------------------


def test_temporary_chats_are_not_exported(people: People) -> None:
    kept = submit(people.alice).conversation
    temporary(people.alice)
    assert list(exportable(people.alice.pk).values_list("id", flat=True)) == [kept]


def test_an_export_leaves_out_documents_of_deleted_messages(people: People) -> None:
    done = submit(people.alice)
    end(done)
    later = submit(people.alice, conversation=done.conversation, parent=done.answer)
    end(later)
    for name, message in (("kept", done.message), ("gone", later.message)):
        attach(store(people.alice, f"{name}.txt"), Message.objects.get(id=message))
    do_delete_message(people.alice.pk, later.message)
    (record,) = read_records_of(people.alice.pk, [done.conversation])
    assert [one.name for one in record.documents] == ["kept.txt"]
    assert [one.id for one in record.messages] == [str(done.message), str(done.answer)]
    assert Attached.objects.count() == 2


def test_only_temporary_chats_are_erased_for_being_old(people: People) -> None:
    old = timezone.now() - timedelta(days=365)
    gone = temporary(people.alice)
    submit(people.alice)
    Conversation.objects.update(updated_at=old)
    assert list(conversations_due_for_erasure().values_list("id", flat=True)) == [gone]


def test_anothers_full_library_leaves_room_in_ones_own(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "MAX_KEPT", 2)
    for n in range(2):
        do_save(Prompt(owner=people.bob), {"name": f"{n}", "content": "x"})
    do_save(Prompt(owner=people.alice), {"name": "mine", "content": "x"})
    with pytest.raises(Refusal, match="At most 2"):
        do_save(Prompt(owner=people.bob), {"name": "one more", "content": "x"})


def test_indexing_everything_anew_leaves_temporary_chats_out(people: People) -> None:
    home = temporary(people.alice)
    Generation.objects.update(status="finished")
    rebuild()
    assert not SearchEntry.objects.filter(conversation=home).exists()


def test_what_runs_is_its_askers(people: People) -> None:
    """Also in a conversation that somebody else owns."""
    done = submit(people.alice)
    assert [one.id for one in active_generations(people.alice.pk)] == [done.generation]
    Generation.objects.filter(id=done.generation).update(user=people.bob)
    assert not active_generations(people.alice.pk).exists()


def test_a_long_conversation_goes_on_where_its_last_part_ended(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opened, "PAGE_MESSAGES", 2)
    home, begin = Conversation.objects.create(owner=people.alice, title="x"), timezone.now()
    for n in range(3):
        Message.objects.create(
            conversation=home, role="user", content="x", created_at=begin + timedelta(seconds=n)
        )
    rows = Message.objects.filter(conversation=home).order_by("created_at", "id")
    first = opened._page(rows, None)
    assert [len(first), len(opened._page(rows, first[-1]))] == [2, 1]
