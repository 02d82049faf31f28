"""Checks of machines: answered by whatever name the process is asked for, and by their own rules."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from threading import Event
from typing import Any
from urllib.request import urlopen

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import RequestFactory

from chatsite import health
from chatsite.asgi import application
from chatsite.database import write
from chatsite.server.assets import MARKER
from inference.alive import address
from inference.management.health_server import start_health_server
from inference.status import InferenceStatus
from inference.worker.liveness import SILENT_S, Liveness
from tests.support.ports import free_port
from tests.support.source import ROOT
from tests.support.waiting import PATIENCE_S

PROXY = "127.0.0.1"
ELSEWHERE = "10.1.2.3"


@pytest.fixture(autouse=True)
def one_name(settings, tmp_path: Path) -> None:
    settings.ALLOWED_HOSTS = ["chat.example.org"]
    settings.STATIC_ROOT = tmp_path
    (tmp_path / MARKER).touch()


async def status_of(path: str, host: str, client: str = PROXY, **headers: str) -> int:
    """What the application answers to this request, as a server hands it over."""
    lines = [(name.encode(), value.encode()) for name, value in {"host": host, **headers}.items()]
    scope = {
        "type": "http", "method": "GET", "scheme": "http", "http_version": "1.1", "path": path,
        "query_string": b"", "headers": lines, "client": (client, 40_000), "server": ("127.0.0.1", 8_000),
    }  # fmt: skip
    sent: list[dict[str, Any]] = []
    requests = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, Any]:
        return next(requests, None) or await asyncio.Future()

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await application(scope, receive, send)
    status: int = sent[0]["status"]
    return status


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("host", ["127.0.0.1:8000", "10.0.0.7", "inference", "chat.example.org"])
async def test_checks_are_answered_for_any_host(host: str) -> None:
    assert await status_of("/healthz", host) == 200
    assert await status_of("/readyz", host) == 503  # no engine here
    assert await status_of("/metrics", host) == 200


async def test_pages_are_answered_for_their_own_name_alone() -> None:
    for path in ("/accounts/login/", "/v1/models", "/healthz/", "/metricsx"):
        assert await status_of(path, "10.0.0.7") == 400, path


async def test_figures_keep_their_rule(settings) -> None:
    assert await status_of("/metrics", "x", ELSEWHERE) == 403
    assert await status_of("/metrics", "x", PROXY, **{"x-forwarded-for": ELSEWHERE}) == 403
    settings.METRICS_TOKEN = "s3cret"
    assert await status_of("/metrics", "x", ELSEWHERE, authorization="Bearer s3cret") == 200
    assert await status_of("/metrics", "x", PROXY) == 403


async def test_a_balancer_is_told_of_the_end_and_a_supervisor_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [RequestFactory().get(path) for path in ("/healthz?accepting", "/healthz")]
    assert [(await health.healthz(one)).status_code for one in asked] == [200, 200]
    monkeypatch.setattr(health.web_drain, "begun", True)
    assert [(await health.healthz(one)).status_code for one in asked] == [503, 200]


@pytest.mark.parametrize(
    ("begun", "query", "status"),
    [
        (False, "", 200),
        (False, "accepting", 200),
        (True, "", 200),
        (True, "accepting", 503),
        (True, "accepting=1", 503),
        (True, "other=accepting", 200),
    ],
)
async def test_the_application_answers_as_the_view_does(
    monkeypatch: pytest.MonkeyPatch, begun: bool, query: str, status: int
) -> None:
    """What a process serves passes no middleware; the view is what tests and tools call."""
    monkeypatch.setattr(health.web_drain, "begun", begun)
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await health.healthz_application({"query_string": query.encode()}, None, send)
    view = await health.healthz(RequestFactory().get(f"/healthz?{query}"))
    assert sent[0]["status"] == view.status_code == status
    assert sent[1]["body"] == view.content
    assert dict(sent[0]["headers"])[b"content-length"] == str(len(view.content)).encode()


READY = {"state": "ready", "intake_age_s": 0.0}


async def readiness(monkeypatch: pytest.MonkeyPatch, status: Any, database: Any) -> dict[str, Any]:
    """What `/readyz` says where these check the status and the database."""
    monkeypatch.setattr(health, "_status", health.SharedCheck(status))
    monkeypatch.setattr(health, "_database", health.SharedCheck(database))
    answer = await health.readyz(RequestFactory().get("/readyz"))
    told: dict[str, Any] = json.loads(answer.content)
    assert answer.status_code == (200 if told["ready"] else 503)
    return told


async def well() -> None:
    """A database that answers."""


def published(**fields: Any) -> Any:
    async def status() -> InferenceStatus:
        return InferenceStatus(**{"at": time.time(), **READY, **fields})

    return status


@pytest.mark.parametrize(
    ("fields", "ready"),
    [
        ({}, True),
        ({"state": "starting"}, False),
        ({"state": "draining"}, False),
        ({"intake_age_s": health.INTAKE_SILENT_S + 1}, False),
        ({"intake_age_s": None}, False),
        ({"intake_age_s": health.INTAKE_SILENT_S / 2}, True),
    ],
)
async def test_ready_is_who_would_answer(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], ready: bool
) -> None:
    """An owner that does not read the queue answers nobody, however ready its engine is."""
    assert (await readiness(monkeypatch, published(**fields), well))["ready"] is ready


async def test_without_the_pages_files_nobody_is_sent_here(monkeypatch: pytest.MonkeyPatch, settings) -> None:
    (settings.STATIC_ROOT / MARKER).unlink()
    told = await readiness(monkeypatch, published(), well)
    assert not told["ready"]
    assert "collectstatic" in told["static"]


@pytest.mark.django_db(transaction=True)
async def test_readiness_covers_the_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a newer version or not migrated: not ready, with the reason; what was ready once stays so."""

    async def unknown(add: bool) -> None:
        recorder = MigrationRecorder(connection)
        change = recorder.record_applied if add else recorder.record_unapplied
        await write(change, "accounts", "0999_later")

    monkeypatch.setattr(health, "_migrated", Event())
    await unknown(True)
    told = await readiness(monkeypatch, published(), health._touch_database)
    assert not told["ready"]
    assert "accounts.0999_later" in told["database"]
    await unknown(False)
    assert (await readiness(monkeypatch, published(), health._touch_database))["ready"]
    await unknown(True)
    assert (await readiness(monkeypatch, published(), health._touch_database))["ready"]
    await unknown(False)


async def test_what_never_answers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CHECK_LIMIT_S", 0.01)

    async def silent() -> Any:
        await asyncio.Future()

    async def broken() -> Any:
        raise ConnectionError

    told = await readiness(monkeypatch, silent, well)
    assert (told["engine"], told["intake"], told["database"]) == ("down", "silent", "ok")
    assert (await readiness(monkeypatch, published(), silent))["database"] == "TimeoutError"
    assert (await readiness(monkeypatch, broken, broken))["database"] == "ConnectionError"


async def test_a_check_that_hangs_is_asked_once_until_it_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each would hold one of the few database threads."""
    monkeypatch.setattr(health, "CHECK_LIMIT_S", 0.01)
    begun: list[asyncio.Future[None]] = []

    async def silent() -> None:
        begun.append(asyncio.get_running_loop().create_future())
        await begun[-1]

    check = health.SharedCheck(silent)
    for _ in range(5):
        with pytest.raises(TimeoutError):
            await check.result()
    assert len(begun) == 1
    monkeypatch.setattr(health, "GIVEN_UP_S", 0.0)
    with pytest.raises(TimeoutError):
        await check.result()
    assert len(begun) == 2
    monkeypatch.setattr(health, "GIVEN_UP_S", PATIENCE_S)
    begun[1].set_result(None)
    await check.result()


def alive(port: int, host: str = "") -> int:
    """What the inference container's check ends with."""
    command = [sys.executable, "-m", "inference.alive"]
    settings = {"CHATSITE_METRICS_PORT": str(port), "HOST": host}
    done = subprocess.run(command, cwd=ROOT, env=os.environ | settings, capture_output=True)
    assert b"Traceback" not in done.stderr
    return done.returncode


def test_an_inference_process_tells_of_itself_alone() -> None:
    now = [0.0]
    liveness, port = Liveness(lambda: now[0]), free_port()
    start_health_server("127.0.0.1", port, liveness)
    with urlopen(f"http://127.0.0.1:{port}/healthz", timeout=PATIENCE_S) as answer:
        assert json.load(answer) == {"role": "standby", "loop_age_s": 0.0, "intake_age_s": None}
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE_S) as answer:
        assert b"# HELP" in answer.read()
    assert alive(port) == alive(port, "0.0.0.0") == 0
    now[0] = SILENT_S + 1  # its event loop has stopped turning
    assert alive(port) == 1


def test_no_process_is_no_life() -> None:
    assert alive(free_port()) == 1


@pytest.mark.parametrize(
    ("host", "expected"),
    [("", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("10.0.0.7", "10.0.0.7"), ("::1", "[::1]")],
)
def test_the_check_asks_where_the_process_listens(host: str, expected: str) -> None:
    assert address(host, "") == f"http://{expected}:8001/healthz"
