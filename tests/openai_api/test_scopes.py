"""Every route of `/v1` asks for a key that is good now, and for the scope of that route."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient
from django.utils import timezone

from chatsite.accounts.keys import do_create_key, do_revoke_key
from chatsite.accounts.models import ApiKey, User
from tests.support.people import make_user

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("own_connections", "one_window"),
]

ROUTES = [
    ("get", "/v1/models", "models"),
    ("get", "/v1/models/some", "models"),
    ("post", "/v1/chat/completions", "chat"),
    ("post", "/v1/completions", "chat"),
    ("get", "/v1/usage", "usage"),
]
SERVED = {"models": (200, 503), "chat": (400,), "usage": (200,)}
"""For a good key, an empty body and no engine."""


def expired(key: ApiKey) -> None:
    ApiKey.objects.filter(id=key.id).update(expires_at=timezone.now() - timedelta(seconds=1))


def revoked(key: ApiKey) -> None:
    do_revoke_key(key.id)


def of_a_closed_account(key: ApiKey) -> None:
    User.objects.filter(id=key.owner_id).update(is_active=False)


async def call(method: str, path: str, text: str | None) -> Any:
    headers = {} if text is None else {"Authorization": f"Bearer {text}"}
    if method == "get":
        return await AsyncClient().get(path, headers=headers)
    return await AsyncClient().post(path, "{}", content_type="application/json", headers=headers)


@pytest.fixture
async def alice() -> User:
    return await sync_to_async(make_user)("alice")


async def new_key(owner: User, *scopes: str) -> tuple[ApiKey, str]:
    return await sync_to_async(do_create_key)(owner.pk, "a", scopes)


@pytest.mark.parametrize(("method", "path", "scope"), ROUTES)
async def test_a_good_key_is_let_in(alice: User, method: str, path: str, scope: str) -> None:
    _, text = await new_key(alice, scope)
    assert (await call(method, path, text)).status_code in SERVED[scope]


@pytest.mark.parametrize(("method", "path", "scope"), ROUTES)
async def test_another_scope_is_not_enough(alice: User, method: str, path: str, scope: str) -> None:
    _, text = await new_key(alice, *({"models", "chat", "usage"} - {scope}))
    answer = await call(method, path, text)
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "missing_scope"
    assert answer.json()["error"]["message"].endswith(f"Missing scopes: {scope}.")


@pytest.mark.parametrize(("method", "path", "scope"), ROUTES)
@pytest.mark.parametrize("spoil", [expired, revoked, of_a_closed_account])
async def test_a_key_that_is_no_longer_good(
    alice: User, method: str, path: str, scope: str, spoil: Any
) -> None:
    key, text = await new_key(alice, "models", "chat", "usage")
    await sync_to_async(spoil)(key)
    answer, unknown = await call(method, path, text), await call(method, path, text[:9] + "x")
    assert answer.status_code == unknown.status_code == 401
    assert answer.json() == unknown.json(), "what is wrong with a key is nobody's business"


@pytest.mark.parametrize(("method", "path", "scope"), ROUTES)
async def test_without_a_key(db: None, method: str, path: str, scope: str) -> None:
    answer = await call(method, path, None)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, None)


async def test_using_a_key_is_noted(alice: User) -> None:
    key, text = await new_key(alice, "models")
    await call("get", "/v1/models", text)
    first = (await ApiKey.objects.aget(id=key.id)).last_used_at
    assert first is not None
    await call("get", "/v1/models", text)
    assert (await ApiKey.objects.aget(id=key.id)).last_used_at == first, "a write for each request"
