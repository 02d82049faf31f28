"""Wrong keys are limited by address, before the database is asked, and hold up nobody with a good one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.testing import HttpCommunicator

from chatsite.accounts.keys import do_create_key, do_revoke_key
from chatsite.accounts.models import ApiKey
from chatsite.asgi import application
from chatsite.openai_api import auth
from tests.support.people import make_user
from tests.support.waiting import PATIENCE_S

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("own_connections", "one_window"),
]


async def call(key: str, address: str = "192.0.2.1") -> Any:
    """Through the whole application, as from this address."""
    headers = [(b"host", b"localhost"), (b"authorization", f"Bearer {key}".encode())]
    asking = HttpCommunicator(application, "GET", "/v1/models", headers=headers)
    asking.scope |= {"client": [address, 4000], "server": ["localhost", 80]}
    answer = await asking.get_response(timeout=PATIENCE_S)
    await asking.wait(timeout=PATIENCE_S)
    return answer


async def new_key(name: str) -> tuple[ApiKey, str]:
    owner = await sync_to_async(make_user)(name)
    return await sync_to_async(do_create_key)(owner.pk, "a", ["models", "chat"])


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys that the database was asked for."""
    seen: list[str] = []
    find = auth.find_key

    def seeing(text: str) -> ApiKey | None:
        seen.append(text)
        return find(text)

    monkeypatch.setattr(auth, "find_key", seeing)
    return seen


async def test_guessing_ends_before_the_database_is_asked(asked: list[str], settings) -> None:
    settings.WRONG_KEYS_PER_MINUTE = 3
    answers = [await call(f"cs-guess-{n}") for n in range(5)]
    assert [answer["status"] for answer in answers] == [401, 401, 401, 429, 429]
    assert len(asked) == 3
    assert json.loads(answers[-1]["body"])["error"]["code"] == "rate_limit_exceeded"
    assert b"Retry-After" in dict(answers[-1]["headers"])
    assert (await call("cs-guess-9", "192.0.2.2"))["status"] == 401, "others are not held up"


async def test_a_good_key_is_not_held_up_by_wrong_ones_beside_it(settings) -> None:
    settings.WRONG_KEYS_PER_MINUTE = 1
    key, text = await new_key("alice")
    served = (await call(text))["status"]
    assert served in (200, 503)
    assert [(await call("cs-wrong"))["status"] for _ in range(2)] == [401, 429]
    assert (await call(text))["status"] == served
    await sync_to_async(do_revoke_key)(key.id)
    assert (await call(text))["status"] == 429, "it is a wrong one now"
