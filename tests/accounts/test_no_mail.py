"""Links that let somebody in reach a mailbox or an administrator's page, and no log."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from io import StringIO

import pytest
from django.core import mail
from django.test import Client

from chatsite.accounts.models import Invitation
from tests.support.people import make_user
from tests.support.source import ROOT

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_window")]

RESET = "/accounts/password/reset/"


def backend_with(**settings: str) -> str:
    program = (
        "import django; django.setup()\n"
        "from django.conf import settings as s; print(s.EMAIL_BACKEND, s.SENDS_MAIL)"
    )
    clean = {name: value for name, value in os.environ.items() if name != "EMAIL_URL"}
    return subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True,
        env=clean | {"DJANGO_SETTINGS_MODULE": "chatsite.settings"} | settings,
    ).stdout.strip()  # fmt: skip


@pytest.mark.slow
def test_without_a_mail_server_nothing_is_written_anywhere() -> None:
    assert backend_with() == "django.core.mail.backends.dummy.EmailBackend False"
    assert backend_with(EMAIL_URL="") == "django.core.mail.backends.dummy.EmailBackend False"
    assert backend_with(EMAIL_URL="smtp://host:25") == "django.core.mail.backends.smtp.EmailBackend True"


def test_the_pages_say_whom_to_ask_and_send_nothing(settings) -> None:
    make_user("alice")
    settings.SIGNUP_DOMAINS = ["example.org"]
    for page in (
        Client().get(RESET), Client().post(RESET, {"email": "alice@example.org"}),
        Client().post("/join", {"email": "new@example.org"}),
    ):  # fmt: skip
        assert "This site sends no mail" in page.content.decode()
    chinese = Client(headers={"Accept-Language": "zh-hans"})
    assert "本站不发送邮件" in chinese.get(RESET).content.decode()
    assert not mail.outbox
    assert not Invitation.objects.exists()


def test_with_a_mail_server_the_link_is_sent(settings) -> None:
    settings.SENDS_MAIL = True
    make_user("alice", "a quiet river")
    assert "<form" in Client().get(RESET).content.decode()
    Client().post(RESET, {"email": "alice@example.org"})
    assert re.search(RESET + r"key/\S+", mail.outbox[0].body)


@pytest.fixture
def log():
    """What the site's own log would hold."""
    (handler,) = [one for one in logging.getLogger().handlers if one.get_name() == "stderr"]
    assert isinstance(handler, logging.StreamHandler)
    text = StringIO()
    before = handler.setStream(text)
    yield text
    handler.setStream(before or sys.stderr)


@pytest.mark.parametrize(
    ("path", "secret"),
    [
        ("/invite/s3cret-token", "s3cret-token"),
        ("/invite/s3cret-token?next=/", "s3cret-token"),
        ("/s/6f1e1f5e-7d0c-4b59-9a0e-3c1f5d3c2b1a", "6f1e1f5e"),
        ("/accounts/password/reset/key/1-s3cret/", "s3cret"),
    ],
)
def test_no_log_line_holds_a_path_that_lets_somebody_in(log: StringIO, path: str, secret: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user("alice"))
    client.get(path)
    client.post(path)  # refused by form token or method, which is logged too
    assert secret not in log.getvalue()
    assert path[:3] in log.getvalue(), "the rest of the line is there"


def test_other_paths_are_logged_whole(log: StringIO) -> None:
    Client().get("/no-such/page")
    assert "/no-such/page" in log.getvalue()
