"""A site asked by a name that is not its own says what to set; its start says which names are answered."""

from __future__ import annotations

import pytest
from django.test import Client

from inference.management.startup_banner import name_lines

DEFAULT = ["localhost", "127.0.0.1", "[::1]"]


@pytest.fixture(autouse=True)
def own_name(settings) -> None:
    settings.ALLOWED_HOSTS = ["chat.example.org"]


@pytest.mark.parametrize("host", ["10.0.0.7:8000", "<script>alert(1)</script>", "x" * 10_000])
def test_another_name_is_told_what_to_set_and_nothing_else(host: str) -> None:
    answer = Client().get("/accounts/login/", HTTP_HOST=host)
    text = answer.content.decode()
    assert answer.status_code == 400
    assert "CHATSITE_ALLOWED_HOSTS" in text
    assert "chat.example.org" not in text
    assert "<script>alert" not in text
    assert len(text) < 5_000
    assert "content-security-policy" in {name.lower() for name in answer.headers}


def test_it_says_so_in_chinese() -> None:
    answer = Client().get("/", HTTP_HOST="10.0.0.7", HTTP_ACCEPT_LANGUAGE="zh-CN")
    assert "本站不响应名称 <strong>10.0.0.7</strong>" in answer.content.decode()


@pytest.mark.parametrize(
    ("host", "allowed", "names"),
    [
        ("127.0.0.1", [*DEFAULT, "127.0.0.1"], []),
        ("0.0.0.0", [*DEFAULT, "0.0.0.0"], ["Answers to", "For colleagues"]),
        ("::", [*DEFAULT, "::"], ["Answers to", "For colleagues"]),
        ("192.0.2.7", [*DEFAULT, "192.0.2.7"], ["Answers to"]),
        ("0.0.0.0", ["chat.example.org"], ["Answers to"]),
    ],
)
def test_the_start_says_who_is_answered(host: str, allowed: list[str], names: list[str]) -> None:
    lines = dict(name_lines(host, allowed))
    assert list(lines) == names
    if "For colleagues" in lines:
        assert lines["Answers to"] == "localhost, 127.0.0.1, [::1]"
        assert "CHATSITE_ALLOWED_HOSTS" in lines["For colleagues"]
    elif names:
        assert allowed[-1] in lines["Answers to"]
