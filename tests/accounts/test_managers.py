"""A group's manager: sees its members and their use, invites into it within a limit, and nothing else."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from chatsite.accounts import groups
from chatsite.accounts.models import GroupManager, Invitation, Role, User
from chatsite.audit.models import AuditEntry
from tests.support.people import People, submit
from tests.support.plans import end
from tests.support.staff import make_staff, signed_in


@pytest.fixture
def team(people: People) -> Group:
    """Alice manages it, Bob is in it, Charlie has nothing to do with it."""
    team = Group.objects.create(name="writers")
    team.user_set.add(people.bob)
    GroupManager.objects.create(group=team, user=people.alice)
    return team


def test_the_manager_sees_members_and_what_they_used(people: People, team: Group) -> None:
    end(submit(people.bob), completion_tokens=70)
    end(submit(people.charlie), completion_tokens=70)
    client = signed_in(people.alice)
    assert client.get("/groups").headers["Location"] == f"/groups/{team.pk}"
    shown = client.get(f"/groups/{team.pk}").context
    assert [(one["person"], one["tokens"] >= 70) for one in shown["members"]] == [(people.bob, True)]
    assert shown["total"]["requests"] == 1


def test_nobody_else_sees_it(people: People, team: Group) -> None:
    for user in (people.bob, people.charlie, make_staff("ada", Role.ADMINISTRATOR)):
        client = signed_in(user)
        assert client.get(f"/groups/{team.pk}").status_code == 404
        assert client.post(f"/groups/{team.pk}", {"email": "new@example.org"}).status_code == 404
        assert client.get("/groups").context["groups"] == []
    assert Client().get(f"/groups/{team.pk}").status_code == 302
    assert not Invitation.objects.exists()


def test_who_is_invited_becomes_a_member_of_the_group_and_no_more(people: People, team: Group) -> None:
    page = signed_in(people.alice).post(f"/groups/{team.pk}", {"email": "New@example.org", "role": "owner"})
    account = {"name": "New", "password": "correct horse battery"}
    assert Client().post(page.context["link"], account).status_code == 302
    new = User.objects.get(email="new@example.org")
    assert (new.role, list(new.groups.all())) == (Role.MEMBER, [team])
    entry = AuditEntry.objects.get()
    assert (entry.actor_name, entry.action, entry.after) == (
        "alice@example.org",
        "invited",
        {"group": "writers"},
    )


def test_the_link_is_a_field_to_copy_and_the_form_is_empty_again(people: People, team: Group) -> None:
    end(submit(people.bob), completion_tokens=70)
    page = signed_in(people.alice).post(f"/groups/{team.pk}", {"email": "new@example.org"})
    text = page.content.decode()
    assert f'readonly value="{page.context["link"]}"' in text
    assert 'data-copy="made-link"' in text
    assert page.context["form"]["email"].value() is None
    assert "tokens, 1 question." in text


def test_open_invitations_are_bounded_and_can_be_taken_back(people: People, team: Group, monkeypatch) -> None:
    monkeypatch.setattr(groups, "MAX_OPEN", 1)
    client, path = signed_in(people.alice), f"/groups/{team.pk}"
    client.post(path, {"email": "one@example.org"})
    assert "Too many invitations" in client.post(path, {"email": "two@example.org"}).content.decode()
    row = Invitation.objects.get()
    assert signed_in(people.bob).post(path, {"withdraw": row.pk}).status_code == 404
    client.post(path, {"withdraw": "x"})
    client.post(path, {"withdraw": row.pk})
    assert not Invitation.objects.exists()
    assert [one.action for one in AuditEntry.objects.order_by("id")] == ["invited", "took back"]


def test_known_addresses_are_an_administrators_matter(people: People, team: Group) -> None:
    page = signed_in(people.alice).post(f"/groups/{team.pk}", {"email": "CHARLIE@example.org"})
    assert "administrator adds it" in page.content.decode()
    assert not Invitation.objects.exists()


def test_administrators_name_managers_and_it_is_audited(people: People, team: Group) -> None:
    console = signed_in(make_staff("ada", Role.ADMINISTRATOR))
    form = {"name": "writers", "managers": [people.charlie.pk]}
    assert console.post(f"/admin/auth/group/{team.pk}/change/", form).status_code == 302
    assert [one.user for one in team.managers.all()] == [people.charlie]
    entry = AuditEntry.objects.get()
    assert (entry.before, entry.after) == (
        {"managers": "alice@example.org"},
        {"managers": "charlie@example.org"},
    )
