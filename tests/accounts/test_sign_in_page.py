"""The sign-in page offers what can work here, and nothing else."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse


@pytest.fixture(autouse=True)
def every_name(settings, db: None) -> None:
    settings.ALLOWED_HOSTS = ["*"]


def page(host: str, *, secure: bool = False) -> str:
    return Client().get("/accounts/login/", HTTP_HOST=host, secure=secure).content.decode()


@pytest.mark.parametrize(
    ("host", "secure", "offered"),
    [
        ("localhost:8000", False, True),
        ("chat.localhost", False, True),
        ("chat.example.org", True, True),
        ("127.0.0.1:8000", False, False),
        ("[::1]:8000", False, False),
        ("192.0.2.7", True, False),
        ("chat.example.org", False, False),
    ],
)
def test_passkeys_are_offered_where_a_browser_takes_them(host: str, secure: bool, offered: bool) -> None:
    text = page(host, secure=secure)
    assert ("passkey_login" in text) is offered
    assert ("webauthn" in text.lower()) is offered


def test_who_may_join_finds_the_way(settings) -> None:
    settings.SIGNUP_DOMAINS = ["example.org"]
    assert f'href="{reverse("join")}"' in page("localhost")
    settings.SIGNUP_DOMAINS = []
    assert reverse("join") not in page("localhost")
