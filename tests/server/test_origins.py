"""Own origin only: websockets of other origins are refused, links in mails come from the settings."""

from __future__ import annotations

import re

import pytest
from channels.testing import WebsocketCommunicator
from django.core import mail
from django.core.cache import cache
from django.core.checks import run_checks
from django.test import Client, RequestFactory

from chatsite.asgi import application
from chatsite.server.origins import is_own_origin, normal_origin, public_origin, shown_link
from tests.support.people import make_user

SITE = "chat.example.org"


def headers(origin: str | None, host: str = SITE, proto: str = "") -> list[tuple[bytes, bytes]]:
    lines = [(b"host", host.encode())]
    if origin is not None:
        lines.append((b"origin", origin.encode()))
    if proto:
        lines.append((b"x-forwarded-proto", proto.encode()))
    return lines


@pytest.fixture
def behind_a_proxy(settings) -> None:
    settings.ALLOWED_HOSTS, settings.HTTPS = [SITE], True


@pytest.mark.usefixtures("behind_a_proxy")
@pytest.mark.parametrize(
    ("origin", "host", "proto", "own"),
    [
        (f"https://{SITE}", SITE, "https", True),
        (f"https://{SITE}:443", SITE, "https", True),
        (f"https://{SITE}", f"{SITE}:443", "wss", True),
        (f"HTTPS://{SITE.upper()}", SITE, "https", True),
        (f"http://{SITE}", SITE, "https", False),
        (f"https://{SITE}:8443", SITE, "https", False),
        (f"https://{SITE}", f"{SITE}:8443", "https", False),
        (f"https://{SITE}", SITE, "http", False),
        (f"https://{SITE}", SITE, "", False),
        (f"https://{SITE}.evil.example", SITE, "https", False),
        (f"https://{SITE}@evil.example", SITE, "https", False),
        (f"https://evil.example/{SITE}", SITE, "https", False),
        (f"https://{SITE}/", SITE, "https", False),
        ("https://evil.example", "evil.example", "https", False),
        ("null", SITE, "https", False),
        ("", SITE, "https", False),
        (None, SITE, "https", False),
        (f"https://{SITE}:99999", SITE, "https", False),
        ("https://[::1", SITE, "https", False),
    ],
)
def test_a_websocket_is_of_this_origin_whole(origin: str | None, host: str, proto: str, own: bool) -> None:
    assert is_own_origin(headers(origin, host, proto)) is own


@pytest.mark.parametrize(
    ("origin", "host", "own"),
    [
        ("http://localhost:8000", "localhost:8000", True),
        ("http://127.0.0.1:9000", "127.0.0.1:9000", True),
        ("http://[::1]:8000", "[::1]:8000", True),
        ("http://localhost:8001", "localhost:8000", False),
        ("http://localhost", "localhost:8000", False),
        ("https://localhost:8000", "localhost:8000", False),
        ("http://127.0.0.1:8000", "localhost:8000", False),
    ],
)
def test_another_port_of_this_machine_is_another_site(settings, origin: str, host: str, own: bool) -> None:
    settings.ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
    assert is_own_origin(headers(origin, host)) is own


@pytest.mark.parametrize(
    ("trusted", "origin", "own"),
    [
        ("https://a.example", "https://a.example", True),
        ("https://a.example:8443", "https://a.example", False),
        ("https://a.example", "http://a.example", False),
        ("https://*.example", "https://b.example", False),
    ],
)
def test_trusted_origins_are_exact(settings, trusted: str, origin: str, own: bool) -> None:
    settings.CSRF_TRUSTED_ORIGINS = [trusted]
    assert is_own_origin(headers(origin, "inner:8000")) is own


def test_two_origins_are_none() -> None:
    lines = headers("http://localhost", "localhost")
    assert is_own_origin(lines)
    assert not is_own_origin([*lines, (b"origin", b"https://evil.example")])
    assert not is_own_origin([*lines, (b"host", b"evil.example")])


@pytest.mark.parametrize("path", ["/ws/chat/", "/ws/console/"])
@pytest.mark.parametrize("origin", ["http://localhost:81", "https://localhost", "https://evil.example"])
async def test_every_socket_is_behind_this_check(path: str, origin: str) -> None:
    foreign = WebsocketCommunicator(application, path, headers=headers(origin, "localhost"))
    connected, _ = await foreign.connect()
    assert not connected


@pytest.mark.parametrize(
    "url", ["ftp://a", "a.example", "https://", "https://a/b", "https://a?b", "https://u@a", ""]
)
def test_what_is_no_origin(url: str) -> None:
    assert normal_origin(url) == ""


@pytest.mark.parametrize(
    ("configured", "found"),
    [
        ({"PUBLIC_URL": "https://chat.example.org"}, "https://chat.example.org"),
        ({"PUBLIC_URL": "https://chat.example.org:8443"}, "https://chat.example.org:8443"),
        ({"CSRF_TRUSTED_ORIGINS": ["https://*.example.org", "https://b.example"]}, "https://b.example"),
        ({"ALLOWED_HOSTS": [".example.org", "c.example"], "HTTPS": True}, "https://c.example"),
        ({"ALLOWED_HOSTS": ["c.example"], "PORT": 8001}, "http://c.example:8001"),
        ({"ALLOWED_HOSTS": ["*"], "PORT": 80}, "http://localhost"),
    ],
)
def test_the_public_address_comes_from_settings(settings, configured: dict, found: str) -> None:
    for name, value in configured.items():
        setattr(settings, name, value)
    assert public_origin() == found


def test_a_link_to_copy_is_public_where_that_is_configured(settings, rf: RequestFactory) -> None:
    request = rf.get("/", headers={"Host": "localhost:9000"})
    settings.ALLOWED_HOSTS = ["localhost"]
    assert shown_link(request, "/x") == "http://localhost:9000/x"
    settings.PUBLIC_URL = f"https://{SITE}"
    assert shown_link(request, "/x") == f"https://{SITE}/x"


@pytest.fixture
def mailing(settings) -> None:
    cache.clear()
    settings.SENDS_MAIL = True
    settings.PUBLIC_URL = f"https://{SITE}"
    settings.SIGNUP_DOMAINS = ["example.org"]
    settings.ALLOWED_HOSTS = [SITE, "localhost"]


@pytest.mark.usefixtures("mailing", "db")
@pytest.mark.parametrize("host", [SITE, f"{SITE}:1337", "localhost:1", "localhost"])
@pytest.mark.parametrize(
    ("path", "email"), [("/accounts/password/reset/", "alice@example.org"), ("/join", "new@example.org")]
)
def test_no_mail_says_what_the_host_header_said(client: Client, host: str, path: str, email: str) -> None:
    make_user("alice")
    client.post(path, {"email": email}, headers={"Host": host})
    (sent,) = mail.outbox
    text = sent.subject + sent.body
    assert "1337" not in text
    assert "localhost" not in text
    links = re.findall(r"https?://\S+", text)
    assert links
    assert all(link.startswith(f"https://{SITE}/") for link in links), links


@pytest.mark.parametrize(
    ("mails", "public", "warned"), [(True, "", True), (True, f"https://{SITE}", False), (False, "", False)]
)
def test_mails_without_a_public_address_are_warned_of(
    settings, mails: bool, public: str, warned: bool
) -> None:
    settings.SENDS_MAIL, settings.PUBLIC_URL = mails, public
    assert ("chatsite.W004" in {message.id for message in run_checks()}) is warned
