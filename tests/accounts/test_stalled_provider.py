"""A provider that stalls or drips keeps nobody else waiting, and whoever waits for it is told in the end."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from django.db import connection
from django.test import Client

from chatsite.accounts.models import User
from chatsite.accounts.openid import discovery, provider_calls
from tests.support.openid_provider import (
    AUTHORIZE,
    DISCOVERY,
    KEYS,
    TOKEN,
    USERINFO,
    OpenIDProvider,
    consented,
    leads_to,
    person_of,
    signed_in_through,
    started,
)
from tests.support.people import make_user
from tests.support.staff import signed_in
from tests.support.waiting import PATIENCE_S, wait_until

pytestmark = [pytest.mark.usefixtures("one_window")]

CALLS = (DISCOVERY, TOKEN, KEYS, USERINFO)
SIGN_IN = "/accounts/oidc/sso/login/"
MANY = 60
OTHERS = 40


@pytest.fixture
def short_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long enough for a provider that is well, on a loaded machine too."""
    monkeypatch.setattr(provider_calls, "CALL_DEADLINE_S", 2.0)


@pytest.fixture
def no_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls end when the test says so, however slow the machine is."""
    monkeypatch.setattr(provider_calls, "CALL_DEADLINE_S", 200.0)


@pytest.fixture(autouse=True)
def olga(provider: OpenIDProvider) -> None:
    provider.person = {"sub": "person-1", "email": "olga@example.org", "email_verified": True}


def is_friendly(page: Any) -> None:
    text = page.content.decode()
    assert page.status_code == 503
    assert page["Retry-After"]
    assert "does not answer as it should" in text
    assert 'href="/accounts/login/"' in text, "the password stays a way in"


@pytest.mark.django_db
@pytest.mark.usefixtures("short_deadline")
@pytest.mark.parametrize("path", CALLS)
@pytest.mark.parametrize("kind", ["stalled", "dripping"])
def test_whoever_waits_for_it_is_told_in_the_end(
    provider: OpenIDProvider, owner: User, path: str, kind: str
) -> None:
    getattr(provider, kind).add(path)
    client = Client()
    is_friendly(signed_in_through(client))
    assert provider.asked[path] == 1
    assert not person_of(client)


@pytest.mark.django_db
@pytest.mark.parametrize("path", CALLS)
@pytest.mark.parametrize(
    "answer",
    [(200, b" " * (provider_calls.MAX_BODY_BYTES + 1)), (500, b"{}"), (302, b""), (204, b"")],
    ids=["endless", "broken", "elsewhere", "empty"],
)
def test_an_answer_that_is_none_is_told_like_a_stall(
    provider: OpenIDProvider, owner: User, path: str, answer: tuple[int, bytes]
) -> None:
    provider.answers[path] = answer
    client = Client()
    is_friendly(signed_in_through(client))
    assert not person_of(client)


@pytest.mark.django_db
def test_what_it_publishes_is_fetched_once(provider: OpenIDProvider, owner: User) -> None:
    for _ in range(3):
        client = Client()
        signed_in_through(client)
        assert person_of(client) == str(owner.pk)
    assert [provider.asked[path] for path in CALLS] == [1, 3, 1, 3]


@pytest.mark.django_db
def test_after_a_failure_everybody_is_told_at_once_and_a_moment_later_it_works(
    provider: OpenIDProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.answers[DISCOVERY] = (500, b"")
    for _ in range(5):
        is_friendly(started(Client()))
    assert provider.asked[DISCOVERY] == 1
    del provider.answers[DISCOVERY]
    monkeypatch.setattr(discovery, "FAILURE_MAX_AGE_S", 0.0)
    assert leads_to(started(Client()))


@pytest.mark.django_db
def test_strangers_are_counted_by_address_before_the_provider_is_asked(provider: OpenIDProvider) -> None:
    office, elsewhere = Client(REMOTE_ADDR="192.0.2.1"), Client(REMOTE_ADDR="192.0.2.2")
    provider.answers[DISCOVERY] = (500, b"")
    answers = [started(office) for _ in range(101)]
    assert [answer.status_code for answer in answers] == [503] * 100 + [429]
    assert "please wait" in answers[-1].content.decode()
    assert answers[-1]["Retry-After"]
    assert started(elsewhere).status_code == 503


@pytest.mark.django_db
def test_a_stall_is_told_in_chinese(provider: OpenIDProvider) -> None:
    provider.answers[DISCOVERY] = (500, b"")
    page = started(Client(headers={"Accept-Language": "zh-hans"})).content.decode()
    assert "登录服务方现在没有正常应答" in page
    assert "直接用密码登录" in page


# --- many at once, on real threads and the real pool of connections -----------------------------
class Crowd:
    """Strangers, each at an address of their own, who ask the running site at the same time."""

    def __init__(self, url: str) -> None:
        self._url, self.host = url, urlsplit(url).netloc
        self._threads = ThreadPoolExecutor(MANY)
        page = httpx.get(f"{url}/accounts/login/", trust_env=False)
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert found
        self._form = {"csrfmiddlewaretoken": found[1]}
        self._csrf = page.cookies["csrftoken"]

    def start(self, number: int) -> httpx.Response:
        headers = {"X-Forwarded-For": f"192.0.2.{number}", "Cookie": f"csrftoken={self._csrf}"}
        return httpx.post(
            self._url + SIGN_IN, data=self._form, headers=headers, timeout=None, trust_env=False
        )

    def get(self, path: str, cookie: str) -> httpx.Response:
        return httpx.get(self._url + path, headers={"Cookie": cookie}, timeout=None, trust_env=False)

    def at_once(self, call: Callable[[Any], httpx.Response], items: list[Any]) -> list[Any]:
        return [self._threads.submit(call, item) for item in items]

    def close(self) -> None:
        self._threads.shutdown()


@pytest.fixture
def patient_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixty who write at once wait for each other for longer than people would, on a loaded machine."""
    if connection.vendor == "postgresql":
        monkeypatch.setattr(connection.pool, "timeout", PATIENCE_S)
    else:
        monkeypatch.setitem(connection.settings_dict["OPTIONS"], "timeout", PATIENCE_S)


@pytest.fixture
def crowd(patient_database: None, live_server, settings, provider: OpenIDProvider) -> Iterator[Crowd]:
    settings.TRUSTED_PROXIES = [ip_network("127.0.0.1")]
    crowd = Crowd(live_server.url)
    yield crowd
    provider.go_on()
    crowd.close()


def others_are_served(crowd: Crowd, held: list[Any]) -> None:
    """Members and strangers who want nothing of the provider get their answers while all of `held` wait."""
    member = signed_in(make_user("alice"))
    cookie = f"sessionid={member.cookies['sessionid'].value}"
    for _ in range(OTHERS // 2):
        assert crowd.get("/api/conversations", cookie).status_code == 200
        assert crowd.get("/accounts/login/", "").status_code == 200
    assert not any(answer.done() for answer in held), "they wait for the provider still"


@pytest.mark.usefixtures("no_deadline", "transactional_db")
def test_sixty_who_start_at_a_stalled_provider_hold_up_nobody(
    provider: OpenIDProvider, crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[str] = []
    monkeypatch.setattr("chatsite.accounts.openid.views.check_single_sign_on", counted.append)
    provider.stalled.add(DISCOVERY)
    held = crowd.at_once(crowd.start, list(range(MANY)))
    wait_until(lambda: len(counted) == MANY)
    others_are_served(crowd, held)
    provider.go_on()
    wait(held)
    led = {leads_to(answer.result()) for answer in held}
    assert len(led) == MANY, "each has a state of their own"
    assert all(place.startswith(provider.url + AUTHORIZE) for place in led)
    assert provider.asked[DISCOVERY] == 1, "one fetched for all"
    assert len(set(counted)) == MANY


@pytest.mark.usefixtures("no_deadline", "transactional_db")
def test_sixty_who_come_back_to_a_stalled_provider_hold_up_nobody(
    provider: OpenIDProvider, crowd: Crowd, owner: User
) -> None:
    signed_in_through(Client())  # connects the account, so that none of the sixty is the first
    clients = [Client(headers={"host": crowd.host}) for _ in range(MANY)]
    backs = [(client, consented(leads_to(started(client)))) for client in clients]
    before = provider.asked[TOKEN]
    provider.stalled.add(TOKEN)

    def come_back(one: tuple[Client, str]) -> httpx.Response:
        client, back = one
        return crowd.get(back, f"sessionid={client.cookies['sessionid'].value}")

    held = crowd.at_once(come_back, backs)
    wait_until(lambda: provider.asked[TOKEN] - before == provider_calls.MAX_CONCURRENT_CALLS)
    others_are_served(crowd, held)
    assert provider.asked[TOKEN] - before == provider_calls.MAX_CONCURRENT_CALLS, (
        "a stall occupies so many threads"
    )
    provider.go_on()
    wait(held)
    assert [answer.result().status_code for answer in held] == [302] * MANY
    assert all("sessionid" in answer.result().cookies for answer in held)
