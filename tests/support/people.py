"""People of the access tests: alice owns, bob is on the team, charlie is a stranger."""

from __future__ import annotations

import time
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest
from django.core.cache import cache

from chatsite.accounts.models import User
from chatsite.generations.submit import Ask, Submitted, do_submit
from inference.request import Sampling

PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class People:
    alice: User
    bob: User
    charlie: User


@pytest.fixture
def people(db: None) -> People:
    return People(*(make_user(name) for name in ("alice", "bob", "charlie")))


@pytest.fixture
def one_window(monkeypatch: pytest.MonkeyPatch) -> int:
    """Rate limits count within one window however long the test takes: none ends in the middle of it.

    Its end, in seconds since 1970.
    """
    cache.clear()
    ends = int(time.time()) + 3_600
    monkeypatch.setattr("django_ratelimit.core._get_window", lambda _value, _period: ends)
    return ends


def make_user(name: str, password: str | None = None) -> User:
    """Without a password unless the test signs in by one: hashing is slow on purpose."""
    return User.objects.create_user(f"{name}@example.org", password, name=name.title())


def ask_of(user: User, client_id: UUID | None = None, **fields: object) -> Ask:
    fields = {"sampling": Sampling(), **fields}
    return Ask(user=user.pk, client_id=client_id or uuid4(), **fields)  # type: ignore[arg-type]


def submit(user: User, content: str = "Why is the sky blue?", **fields: UUID | None) -> Submitted:
    return do_submit(ask_of(user), content, fields.get("conversation"), fields.get("parent"))
