"""People with roles, and clients signed in as them."""

from __future__ import annotations

from django.test import Client

from chatsite.accounts.models import Role, User
from tests.support.people import make_user


def make_staff(name: str, role: Role) -> User:
    user = make_user(name)
    user.role = role
    user.save()
    return user


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client
