"""A session lets its person in while the account is open, the password the same, and it is not signed out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.sessions.backends.base import SessionBase

from chatsite.accounts.models import User
from chatsite.accounts.sessions import check_session
from chatsite.errors import Refusal
from tests.support.people import People
from tests.support.staff import signed_in


def deactivate(user: User, _session: SessionBase) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def change_password(user: User, _session: SessionBase) -> None:
    user.set_password("another one")
    user.save()


def sign_out(_user: User, session: SessionBase) -> None:
    session.delete()


@pytest.mark.parametrize("end", [deactivate, change_password, sign_out])
def test_it_ends(people: People, end: Callable[[User, SessionBase], None]) -> None:
    session = signed_in(people.alice).session
    assert check_session(session, people.alice.pk) == people.alice
    assert signed_in(people.bob).session.session_key  # whose session is not alice's
    end(people.alice, session)
    with pytest.raises(Refusal, match="signed out"):
        check_session(session, people.alice.pk)
