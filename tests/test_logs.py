"""Logs tell what went wrong, and keep what grants access: links, codes, prompts."""

from __future__ import annotations

import json
import logging
import logging.config
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog

from chatsite.logs import logging_config, mask_secret_paths
from tests.support import site as sites
from tests.support.browser import EMULATED
from tests.support.prepared import prepare
from tests.support.waiting import PATIENCE_S, wait_until

SECRET = "t0ken-Of_somebody"

LINKS = [
    f"/invite/{SECRET}",
    f"/s/{SECRET}",
    f"/accounts/password/reset/key/3-{SECRET}/",
    f"/accounts/confirm-email/{SECRET}:1a/",
    f"/accounts/login/?next=/invite/{SECRET}",
    f"/accounts/login/?next=%2Fs%2F{SECRET}",
    f"/accounts/oidc/sso/login/callback/?code={SECRET}&state={SECRET}",
]


def written(form: str, name: str, write: Any) -> str:
    """What a logger of this name writes in this form."""
    config = logging_config("DEBUG", form)
    formatter = config["formatters"]["chatsite"]
    made = formatter.pop("()")(**formatter)
    lines: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(made.format(record))

    logger, handler = logging.getLogger(name), Handler()
    logger.addHandler(handler)
    try:
        write()
    finally:
        logger.removeHandler(handler)
    return "\n".join(lines)


def fail(link: str) -> None:
    password = "in a local variable"  # noqa: F841
    raise ValueError(f"no answer from {link}")


@pytest.fixture(params=["json", "console"])
def form(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("link", LINKS)
def test_a_link_is_masked_in_message_argument_field_and_traceback(form: str, link: str) -> None:
    plain, structured = logging.getLogger("tests.logs"), structlog.get_logger("tests.logs")

    def write() -> None:
        plain.warning("Not Found: %s", link)
        plain.warning(f"GET {link} HTTP/1.1")
        plain.warning("object %r", {"uri": link.encode()})
        structured.warning("event", request=f"GET {link}", nested={"list": [link]})
        try:
            fail(link)
        except ValueError:
            plain.exception("failed at %s", link)
            structured.exception("failed", path=link)

    text = written(form, "tests.logs", write)
    assert text.count("…") >= 7
    assert SECRET not in text


@pytest.mark.parametrize("kind", ["plain", "structured", "exc_info"])
def test_a_traceback_is_kept_without_local_variables(form: str, kind: str) -> None:
    plain, structured = logging.getLogger("tests.logs"), structlog.get_logger("tests.logs")

    def write() -> None:
        try:
            fail("/")
        except ValueError as error:
            if kind == "plain":
                plain.exception("failed")
            elif kind == "structured":
                structured.exception("failed")
            else:
                plain.error("failed", exc_info=error)

    text = written(form, "tests.logs", write)
    assert "ValueError: no answer from /" in text
    assert "in fail" in text
    assert "local variable" not in text
    if form == "json":
        line = json.loads(text)
        assert line["exception"].startswith("Traceback")
        assert line["event"] == "failed"


@pytest.mark.parametrize(
    "text", ["/settings/x", "/c/123", "GET /static/ab/s.js", "code=1", "/accounts/login/"]
)
def test_what_holds_no_secret_stays(text: str) -> None:
    assert mask_secret_paths(text) == text


SERVERS = {
    "serve": ("manage.py", "serve"),
    "daphne": ("-m", "daphne", "-b", sites.HOST, "-p", "{port}", "chatsite.asgi:application"),
    "daphne with its log": (
        "-m", "daphne", "-b", sites.HOST, "-p", "{port}", "--access-log", "{home}/own.log",
        "chatsite.asgi:application",
    ),
}  # fmt: skip


@pytest.fixture(params=SERVERS.values(), ids=SERVERS.keys())
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sites.Site]:
    prepare(tmp_path)
    settings = EMULATED | {"CHATSITE_LOG_FORMAT": "json"}
    port = sites.free_port()
    command = [sys.executable, *(part.format(port=port, home=tmp_path) for part in request.param)]
    running = sites.Site(port, tmp_path, sites.environment(tmp_path, port, settings))
    running.spawn(*command)
    try:
        running.wait("/healthz")
        yield running
    finally:
        running.stop()


def test_every_way_of_serving_writes_structured_lines_without_links(site: sites.Site) -> None:
    spelled_otherwise = [f"/%69nvite/{SECRET}", f"/api/search?q={SECRET}"]
    with httpx.Client(base_url=site.url, trust_env=False, timeout=PATIENCE_S) as client:
        for link in [*LINKS, *spelled_otherwise, "/end"]:
            client.get(link)
    wait_until(lambda: "/end" in site.log.read_text())
    lines = [json.loads(line) for line in site.log.read_text().splitlines() if line.startswith("{")]
    requests = [line for line in lines if line["event"] == "request"]
    paths = [line["path"] for line in requests]
    assert paths[:3] == ["/invite/…", "/s/…", "/accounts/password/reset/key/…"]
    assert paths.count("/invite/…") == 2
    assert {"method", "status", "ms", "bytes", "peer", "timestamp"} <= requests[0].keys()
    assert "/healthz" not in paths
    assert SECRET not in site.log.read_text()
    own = site.data_dir / "own.log"
    assert not own.exists() or not own.read_text()
