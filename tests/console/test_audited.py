"""The audit log names both sides of a change alike, and keeps what a deleted row held."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from chatsite.accounts.models import GroupManager, Role, User
from chatsite.audit.models import AuditEntry
from chatsite.quotas.models import Plan, PlanAssignment
from tests.support.people import People
from tests.support.plans import assign
from tests.support.staff import make_staff, signed_in

NEW = {"set_usable_password": "true", "password1": "a quiet river", "password2": "a quiet river"}


@pytest.fixture
def admin(db: None) -> Client:
    return signed_in(make_staff("ada", Role.ADMINISTRATOR))


def last() -> AuditEntry:
    return AuditEntry.objects.latest("id")


def test_a_changed_reference_is_named_on_both_sides(people: People, admin: Client) -> None:
    plan = assign("Small", user=people.alice)
    large = Plan.objects.create(name="Large")
    row = PlanAssignment.objects.get(plan=plan)
    path = f"/admin/quotas/planassignment/{row.pk}/change/"
    assert admin.post(path, {"plan": large.pk, "user": people.alice.pk}).status_code == 302
    assert (last().action, last().before, last().after) == ("changed", {"plan": "Small"}, {"plan": "Large"})


def test_groups_and_managers_are_named_as_they_were_and_are(people: People, admin: Client) -> None:
    one, two = Group.objects.create(name="one"), Group.objects.create(name="two")
    people.alice.groups.add(one)
    form = {
        "email": people.alice.email,
        "name": "Alice",
        "role": "member",
        "is_active": "on",
        "groups": two.pk,
    }
    admin.post(f"/admin/accounts/user/{people.alice.pk}/change/", form)
    assert (last().before, last().after) == ({"groups": "one"}, {"groups": "two"})
    GroupManager.objects.create(group=one, user=people.alice)
    admin.post(f"/admin/auth/group/{one.pk}/change/", {"name": "one", "managers": people.bob.pk})
    sides = ({"managers": "alice@example.org"}, {"managers": "bob@example.org"})
    assert (last().before, last().after) == sides


@pytest.mark.parametrize("many", [False, True])
def test_what_a_deleted_row_held_is_kept(people: People, admin: Client, many: bool) -> None:
    assign("Small", user=people.alice)
    row = PlanAssignment.objects.get()
    wish = {"action": "delete_selected", "_selected_action": row.pk} if many else {}
    path = "/admin/quotas/planassignment/" + ("" if many else f"{row.pk}/delete/")
    assert admin.post(path, wish | {"post": "yes"}).status_code == 302
    assert not PlanAssignment.objects.exists()
    assert last().action == "deleted"
    assert {name: last().before.get(name) for name in ("plan", "user", "group")} == {
        "plan": "Small", "user": "alice@example.org", "group": None,
    }  # fmt: skip


def test_setting_somebodys_password_is_noted_without_it(people: People, admin: Client) -> None:
    path = f"/admin/accounts/user/{people.alice.pk}/password/"
    admin.post(path, NEW | {"password2": "another river"})
    assert not AuditEntry.objects.exists(), "a form that was refused changes nothing"
    assert admin.post(path, NEW).status_code == 302
    assert User.objects.get(pk=people.alice.pk).check_password("a quiet river")
    assert (last().actor_name, last().action) == ("ada@example.org", "set the password")
    assert "alice@example.org" in last().subject
    assert "river" not in str(list(AuditEntry.objects.values()))


def test_a_password_that_cannot_be_noted_is_not_set(people: People, admin: Client, monkeypatch) -> None:
    def broken(*_args: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("chatsite.console.people.record", broken)
    before = User.objects.get(pk=people.alice.pk).password
    with pytest.raises(RuntimeError):
        admin.post(f"/admin/accounts/user/{people.alice.pk}/password/", NEW)
    assert User.objects.get(pk=people.alice.pk).password == before
