"""Checks of machines: answered by whatever name the process is asked for, and by their own rules."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import redis

from chatsite.asgi import application
from inference.board import Board, RedisBoard
from tests.clients import close_clients
from tests.source import ROOT

PROXY = "127.0.0.1"
ELSEWHERE = "10.1.2.3"


@pytest.fixture(autouse=True)
def one_name(settings) -> None:
    settings.ALLOWED_HOSTS = ["chat.example.org"]


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


@pytest.fixture(autouse=True)
async def clients_of_this_loop() -> AsyncIterator[None]:
    yield
    await close_clients()


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


def alive(url: str) -> int:
    """What the inference container's check ends with."""
    command = [sys.executable, "-m", "inference.alive"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"REDIS_URL": url}, capture_output=True)
    assert b"Traceback" not in done.stderr
    return done.returncode


@pytest.mark.redis
def test_the_inference_process_is_alive_while_its_board_is_fresh(redis_url: str) -> None:
    assert alive(redis_url) == 1
    for age_s, code in ((0.0, 0), (60.0, 1)):
        board = Board(at=time.time() - age_s, state="starting")
        with redis.Redis.from_url(redis_url) as client:
            client.set(RedisBoard.KEY, msgspec.msgpack.encode(board))
        assert alive(redis_url) == code


def test_no_redis_is_no_inference_process() -> None:
    assert alive("redis://127.0.0.1:1/0") == 1
    assert alive("") == 2
