"""Second factor and single sign-on: set up by the person, asked at every door, enforceable for staff."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import (
    TOTP,
    generate_totp_secret,
)
from django.test import Client

from chatsite.accounts.models import Role, User
from chatsite.audit.models import AuditEntry
from tests.accounts.codes import code_of
from tests.support.source import ROOT
from tests.support.staff import make_staff, signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_window")]

PASSWORD = "a quiet river"


@pytest.fixture
def ada(db) -> User:
    user = make_staff("ada", Role.ADMINISTRATOR)
    user.set_password(PASSWORD)
    user.save()
    return user


def sign_in(client: Client, target: str = "/admin/") -> str:
    """By the form; where that leads to."""
    form = {"login": "ada@example.org", "password": PASSWORD, "next": target}
    return client.post("/accounts/login/", form).url


def test_the_consoles_own_door_asks_for_the_second_factor_too(ada: User) -> None:
    secret = generate_totp_secret()
    TOTP.activate(ada, secret)
    client = Client()
    assert client.get("/admin/").url.startswith("/admin/login/")
    assert client.get("/admin/", follow=True).redirect_chain[-1][0].startswith("/accounts/login/")
    assert sign_in(client) == "/accounts/2fa/authenticate/"
    assert client.get("/admin/").status_code == 302, "half signed in is not signed in"
    client.post("/accounts/2fa/authenticate/", {"code": code_of(secret)})
    assert client.get("/admin/").status_code == 200


def test_staff_without_one_is_led_to_set_it_up_where_the_site_asks(ada: User, settings) -> None:
    settings.STAFF_SECOND_FACTOR = True
    client = Client()
    sign_in(client)
    page = client.get("/admin/", follow=True)
    assert page.redirect_chain[-1][0] == "/accounts/2fa/"
    assert "requires two-factor authentication" in page.content.decode()
    client.get("/accounts/2fa/totp/activate/")
    again = {"password": PASSWORD, "next": "/accounts/2fa/totp/activate/"}
    form = client.post("/accounts/reauthenticate/", again, follow=True)
    secret = re.search(r'value="([A-Z2-7]{32})"', form.content.decode())
    assert secret
    client.post("/accounts/2fa/totp/activate/", {"code": code_of(secret[1])})
    assert client.get("/admin/").status_code == 200


def test_an_administrator_resets_a_lost_one(ada: User) -> None:
    TOTP.activate(ada, generate_totp_secret())
    client = signed_in(make_staff("olga", Role.OWNER))
    client.post("/admin/accounts/user/", {"action": "reset_second_factor", "_selected_action": ada.pk})
    assert not Authenticator.objects.exists()
    assert AuditEntry.objects.get().action == "reset the second factor"


@pytest.mark.parametrize(
    "path", ["/accounts/2fa/", "/accounts/2fa/totp/activate/", "/accounts/2fa/webauthn/", "/accounts/login/"]
)
def test_its_pages_open(ada: User, path: str) -> None:
    client = Client()
    if path != "/accounts/login/":
        sign_in(client)
    assert client.get(path, follow=True).status_code == 200


def test_the_eleventh_wrong_code_is_refused_and_the_right_one_after_it(ada: User) -> None:
    secret = generate_totp_secret()
    TOTP.activate(ada, secret)
    client = Client()
    sign_in(client)
    page = "/accounts/2fa/authenticate/"
    wrong = [client.post(page, {"code": "000000"}).content.decode() for _ in range(11)]
    assert "Too many failed" not in wrong[9]
    assert "Too many failed" in wrong[10]
    client.post(page, {"code": code_of(secret)})
    assert client.get("/admin/").status_code == 302, "the right code waits too"


def test_a_stranger_without_the_password_uses_up_no_attempt_of_the_owners(ada: User) -> None:
    secret = generate_totp_secret()
    TOTP.activate(ada, secret)
    stranger = Client(REMOTE_ADDR="192.0.2.66")
    for _ in range(11):
        stranger.post("/accounts/login/", {"login": ada.email, "password": "wrong"})
    client = Client()
    assert sign_in(client) == "/accounts/2fa/authenticate/"
    client.post("/accounts/2fa/authenticate/", {"code": code_of(secret)})
    assert client.get("/admin/").status_code == 200


def started_with(**settings: str) -> subprocess.CompletedProcess[str]:
    program = (
        "import django; django.setup()\n"
        "from django.conf import settings; print(settings.SOCIALACCOUNT_PROVIDERS)"
    )
    return subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "chatsite.settings"} | settings,
    )  # fmt: skip


@pytest.mark.slow
def test_single_sign_on_is_a_matter_of_settings() -> None:
    three = {
        "CHATSITE_OIDC_SERVER": "https://id.example.org", "CHATSITE_OIDC_CLIENT_ID": "chat",
        "CHATSITE_OIDC_CLIENT_SECRET": "s3cret",
    }  # fmt: skip
    assert "'server_url': 'https://id.example.org'" in started_with(**three).stdout
    plain = three | {"CHATSITE_OIDC_SERVER": "http://id.example.org"}
    assert "must be an https:// address" in started_with(**plain).stderr
    assert "'server_url': 'http://id" in started_with(**plain, CHATSITE_OIDC_ALLOW_HTTP="true").stdout
    half = started_with(CHATSITE_OIDC_SERVER="https://id.example.org")
    assert "CHATSITE_OIDC_CLIENT_SECRET: needed for single sign-on too" in half.stderr
