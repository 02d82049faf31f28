"""Bodies are refused at the door: counted as they come, by route, and small before sign-in."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
import pytest

from tests.support import site as sites
from tests.support.raw_http import connect, received, serves_visitors
from tests.support.site_keys import of as keys_of
from tests.support.waiting import PATIENCE_S

SMALL, PAGE, PROGRAM = 64 * 1024, 1024 * 1024, 4 * 1024 * 1024
"""Bytes that anybody, a signed-in page and a program may send."""

CHUNK = b"8000\r\n" + 0x8000 * b"x" + b"\r\n"


def head(path: str, *lines: str) -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: 127.0.0.1", *lines, "", ""]).encode()


def status_of(answer: bytes) -> int:
    found = re.match(rb"HTTP/1\.1 (\d+) ", answer)
    assert found, answer[:200]
    return int(found[1])


@pytest.fixture(scope="module")
def member(site: sites.Site) -> str:
    return f"Cookie: {site.people(1)[0]}"


@pytest.fixture(scope="module")
def key(site: sites.Site) -> str:
    return f"Authorization: Bearer {keys_of(site, 1)[0]}"


def spooled(site: sites.Site) -> int:
    """Bytes of nameless files that the site holds open."""
    found = 0
    for child in site.children:
        for link in Path(f"/proc/{child.pid}/fd").iterdir():
            try:
                if "(deleted)" in str(link.readlink()):
                    found += link.stat().st_size
            except FileNotFoundError:
                continue
    return found


@pytest.mark.parametrize("path", ["/accounts/login/", "/v1/chat/completions", "/api/attachments", "/nowhere"])
def test_a_strangers_endless_body_is_cut_off(site: sites.Site, path: str) -> None:
    with connect(site, head(path, "Transfer-Encoding: chunked")) as connection:
        sent = 0
        try:
            while sent < 100 * PROGRAM:
                connection.sendall(CHUNK)
                sent += len(CHUNK)
        except ConnectionError:
            pass
        answer = received(connection)
    assert sent < 10 * PROGRAM, "what the network held, and what is read so that the answer is"
    assert status_of(answer) == 413
    assert spooled(site) < PROGRAM
    assert serves_visitors(site)


@pytest.mark.parametrize(
    ("path", "announced"),
    [
        ("/accounts/login/", SMALL + 1),
        ("/accounts/password/reset/", 10**9),
        ("/invite/abc", PAGE),
        ("/v1/chat/completions", SMALL + 1),
        ("/v1/chat/completions", PROGRAM + 1),
        ("/api/attachments", 10**30),
        ("/", SMALL + 1),
    ],
)
def test_a_strangers_long_body_is_refused_before_it_comes(
    site: sites.Site, path: str, announced: int
) -> None:
    with connect(site, head(path, f"Content-Length: {announced}")) as connection:
        answer = received(connection)
    assert status_of(answer) == 413
    assert b"Connection: close" in answer


@pytest.mark.parametrize(
    "forged",
    [
        "Cookie: sessionid=abcdefghijklmnopqrstuvwxyz012345",
        "Cookie: sessionid=" + 5_000 * "x",
        "Cookie: sessionid=\u00e9\u00e9",
        "Authorization: Bearer cs-0123456789",
        "Authorization: Bearer",
        "Authorization: Basic YTpi",
    ],
)
def test_who_only_claims_to_be_somebody_is_a_stranger(site: sites.Site, forged: str) -> None:
    with connect(site, head("/api/attachments", forged, f"Content-Length: {PAGE}")) as connection:
        assert status_of(received(connection)) == 413


@pytest.mark.parametrize("extra", [0, 1])
@pytest.mark.parametrize("path", ["/api/conversations/change", "/admin/", "/groups"])
def test_a_member_sends_what_a_route_takes(site: sites.Site, member: str, path: str, extra: int) -> None:
    body = json.dumps({"x": ""}).encode().ljust(PAGE + extra)
    with connect(site, head(path, member, "Connection: close", f"Content-Length: {len(body)}")) as connection:
        if not extra:
            connection.sendall(body)
        answer = received(connection)
    assert (status_of(answer) == 413) is bool(extra), answer[:300]


@pytest.mark.parametrize("length", [SMALL, SMALL + 1, PAGE + 1, PROGRAM])
@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "chunked"])
def test_a_program_sends_what_its_route_takes(site: sites.Site, key: str, length: int, chunked: bool) -> None:
    """Whole and unaltered: the answer says that it was read to its end."""
    body = json.dumps({"model": "no-such-model", "messages": []}).encode().ljust(length)
    form = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {length}"
    lines = (key, "Connection: close", form)
    with connect(site, head("/v1/chat/completions", *lines)) as connection:
        if chunked:
            for start in range(0, length, 50_000):
                part = body[start : start + 50_000]
                connection.sendall(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            connection.sendall(b"0\r\n\r\n")
        else:
            connection.sendall(body)
        answer = received(connection)
    assert status_of(answer) == 400
    assert b'"messages"' in answer


@pytest.mark.parametrize(
    ("path", "shape"),
    [("/v1/completions", "request_too_large"), ("/api/prompts", "too_long"), ("/accounts/login/", None)],
)
def test_the_refusal_has_the_shape_of_its_route(site: sites.Site, path: str, shape: str | None) -> None:
    answer = httpx.post(site.url + path, content=b"x" * 20 * PROGRAM, trust_env=False, timeout=PATIENCE_S)
    assert answer.status_code == 413
    assert (answer.json()["error"]["code"] if shape else None) == shape
    assert "bytes" in answer.text


def test_a_client_that_asks_first_is_told_first(site: sites.Site) -> None:
    begun = head("/v1/chat/completions", "Expect: 100-continue", f"Content-Length: {10**8}")
    with connect(site, begun) as connection:
        answer = received(connection)
    assert status_of(answer) == 413
    assert b"100 Continue" not in answer
