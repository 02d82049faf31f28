"""What a role may do in the console, by Django's names of permissions; the console asks for staff first."""

from __future__ import annotations

import pytest

from chatsite.accounts.models import Role
from tests.support.staff import make_staff

MAY = {
    Role.MEMBER: (False, False), Role.AUDITOR: (True, False), Role.ADMINISTRATOR: (True, True),
    Role.OWNER: (True, True),
}  # fmt: skip
"""Role → whether it may look and change."""


@pytest.mark.django_db
@pytest.mark.parametrize("is_active", [True, False])
@pytest.mark.parametrize("role", Role)
def test_a_role_says_what_its_people_may(role: Role, is_active: bool) -> None:
    user = make_staff("somebody", role)
    user.is_active = is_active
    may_look, may_change = MAY[role] if is_active else (False, False)
    assert user.has_perm("accounts.view_user") == user.has_module_perms("accounts") == may_look
    assert [user.has_perm(f"accounts.{verb}_user") for verb in ("add", "change", "delete")] == [
        may_change
    ] * 3
