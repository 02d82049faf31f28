"""An invitation ends with its maker, who is active when it is used and may still give what it gives."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone

from chatsite.account_deletion.erasure import do_request_account_deletion, erase_account_part
from chatsite.accounts.invitations import LONGEST, do_accept, do_invite
from chatsite.accounts.models import GroupManager, Invitation, Role, User
from chatsite.errors import Refusal
from tests.support.people import PASSWORD, make_user
from tests.support.staff import make_staff, signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_window")]


def invited(maker: User | None, role: Role = Role.MEMBER, group: Group | None = None, email: str = "") -> str:
    return do_invite(email, role, group, timezone.now() + timedelta(days=1), maker)[1]


def is_taken(token: str) -> bool:
    """Whether the link makes an account: by the page, and by the action behind it."""
    form = {"email": "new@example.org", "name": "", "password": "a long and quiet river"}
    seen = Client().get(f"/invite/{token}").status_code
    answer = Client().post(f"/invite/{token}", form)
    assert seen == (200 if answer.status_code == 302 else 404), "the page promises what it keeps"
    if answer.status_code == 302:
        return True
    with pytest.raises(Refusal, match="used or has ended"):
        do_accept(token, "new@example.org", "", PASSWORD)
    return False


def set_role(user: User, role: Role) -> None:
    user.role = role
    user.save()


def deactivate(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def erase(user: User) -> None:
    make_staff("other", Role.OWNER)
    do_request_account_deletion(user.pk, None)
    while User.objects.filter(pk=user.pk).exists():
        erase_account_part(user.pk, None)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("maker", Role)
def test_who_may_give_which_role(maker: Role, role: Role) -> None:
    may = maker == Role.OWNER or (maker == Role.ADMINISTRATOR and role != Role.OWNER)
    assert is_taken(invited(make_staff("maker", maker), role)) == may


@pytest.mark.parametrize("end", [deactivate, erase])
@pytest.mark.parametrize("role", Role)
def test_of_who_is_gone_nothing_is_given(role: Role, end: Callable[[User], None]) -> None:
    maker = make_staff("maker", Role.OWNER)
    token = invited(maker, role)
    end(maker)
    assert not is_taken(token)


def test_of_who_comes_back_it_is_good_again() -> None:
    maker = make_staff("maker", Role.OWNER)
    token = invited(maker)
    deactivate(maker)
    assert not is_taken(token)
    User.objects.filter(pk=maker.pk).update(is_active=True)
    assert is_taken(token)


@pytest.mark.parametrize(
    ("now", "given"),
    [
        (Role.ADMINISTRATOR, Role.OWNER),
        (Role.AUDITOR, Role.ADMINISTRATOR),
        (Role.AUDITOR, Role.MEMBER),
        (Role.MEMBER, Role.OWNER),
        (Role.MEMBER, Role.MEMBER),
    ],
)
def test_of_who_lost_the_role_nothing_is_given_that_it_took(now: Role, given: Role) -> None:
    maker = make_staff("maker", Role.OWNER)
    token = invited(maker, given)
    set_role(maker, now)
    assert not is_taken(token)


def test_a_managers_invitation_ends_with_managing() -> None:
    group, other = Group.objects.create(name="interns"), Group.objects.create(name="others")
    manager = make_user("manager")
    managing = GroupManager.objects.create(group=group, user=manager)
    tokens = [invited(manager, group=one) for one in (group, group, other, None)]
    assert [is_taken(token) for token in tokens[1:]] == [True, False, False]
    managing.delete()
    assert not is_taken(tokens[0])


def test_a_managers_invitation_ends_with_the_group() -> None:
    group = Group.objects.create(name="interns")
    manager = make_user("manager")
    GroupManager.objects.create(group=group, user=manager)
    token = invited(manager, group=group)
    group.delete()
    assert not is_taken(token)


def test_a_manager_gives_no_role() -> None:
    group = Group.objects.create(name="interns")
    manager = make_user("manager")
    GroupManager.objects.create(group=group, user=manager)
    assert not is_taken(invited(manager, Role.ADMINISTRATOR, group))


def test_the_sites_own_holds_while_its_policy_does(settings) -> None:
    settings.SIGNUP_DOMAINS = ["example.org", ""]
    group = Group.objects.create(name="interns")
    assert not is_taken(invited(None)), "for whoever has the link"
    assert not is_taken(invited(None, Role.OWNER, email="new@example.org"))
    assert not is_taken(invited(None, group=group, email="new@example.org"))
    token = invited(None, email="new@example.org")
    settings.SIGNUP_DOMAINS = ["example.com"]
    assert not is_taken(token)
    settings.SIGNUP_DOMAINS = ["example.org"]
    assert is_taken(token)


def test_there_is_an_end_always() -> None:
    maker = make_staff("maker", Role.OWNER)
    token = do_invite("", Role.MEMBER, None, timezone.now() + timedelta(days=36500), maker)[1]
    Invitation.objects.update(created_at=timezone.now() - LONGEST)
    assert not is_taken(token)


@pytest.mark.parametrize(("days", "said"), [(91, "at most 90 days"), (None, "This field is required")])
def test_the_console_makes_none_without_an_end(days: int | None, said: str) -> None:
    until = timezone.localtime() + timedelta(days=days or 1)
    ends = {"ends_at_0": f"{until:%Y-%m-%d}", "ends_at_1": "12:00:00"} if days else {}
    page = signed_in(make_staff("ada", Role.ADMINISTRATOR)).post(
        "/admin/accounts/invitation/add/", {"role": "member", **ends}
    )
    assert said in page.content.decode()
    assert not Invitation.objects.exists()
