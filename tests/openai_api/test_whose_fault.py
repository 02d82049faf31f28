"""Whose fault it was that a request got no answer: the client's is a 400, an outage a 503 to be repeated."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from chatsite.generations.models import Generation
from chatsite.generations.stream import ending
from chatsite.openai_api.errors import error_of_ending
from inference.dispatch.active_generation import (
    CANCELLED,
    ENGINE_DROPPED,
    ENGINE_LOST,
    ENGINE_LOST_TWICE,
    REFUSED,
    ending_by_deadline,
    ending_by_engine,
)
from inference.dispatch.store import Claim, Outcome
from inference.engines.base import Output
from inference.engines.remote.server import RequestRefusedError, Server, ServerTroubleError
from inference.request import Fault, Usage
from inference.stream_log.base import Finished
from inference.worker.owner import next_epoch
from inference.worker.recorder import Recorder
from tests.support import site_keys as keys
from tests.support.people import People, submit
from tests.support.prepared import prepare
from tests.support.scripted_server import ScriptedServer
from tests.support.site import Site, embedded
from tests.support.waiting import PATIENCE_S

OUTAGES = (500, 502, 503, 504, 429, 408, 401, 403)
"""Statuses of a server that would answer another request, another time or another key."""

REFUSALS = (400, 413, 415, 422)


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedServer]:
    server = await ScriptedServer().start()
    yield server
    await server.stop()


@pytest.fixture
async def remote(upstream: ScriptedServer, tmp_path: Path) -> AsyncIterator[Site]:
    prepare(tmp_path)
    settings = {"CHATSITE_ENGINE": "remote", "CHATSITE_REMOTE_URLS": upstream.url}
    with embedded(settings, tmp_path) as site:
        await asyncio.to_thread(site.wait, "/readyz")
        yield site


@pytest.mark.site
async def test_an_outage_of_the_models_server_is_none_of_the_clients(
    remote: Site, upstream: ScriptedServer
) -> None:
    (key,) = await asyncio.to_thread(keys.of, remote, 1)
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(
        base_url=f"{remote.url}/v1", headers=headers, timeout=PATIENCE_S, trust_env=False
    ) as client:
        model = (await client.get("/models")).json()["data"][0]["id"]
        body = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
        for status in (500, 502, 503, 429):
            upstream.refusal = (status, "out of order")
            for stream in (False, True):
                response = await client.post("/chat/completions", json=body | {"stream": stream})
                assert response.status_code == 503, response.text
                assert response.json()["error"]["type"] == "server_error"
                assert 1 <= int(response.headers["Retry-After"]) <= 60
                assert response.headers.get("x-should-retry") is None
        upstream.refusal = (400, "The template takes no such role.")
        response = await client.post("/chat/completions", json=body)
        assert (response.status_code, response.json()["error"]["code"]) == (400, "engine_refused")
        assert "template" in response.json()["error"]["message"]
        upstream.refusal = None
        assert (await client.post("/chat/completions", json=body)).status_code == 200


def finished(fault: Fault | None, tokens: int = 0, reason: str = "error") -> Finished:
    return Finished(1, reason, Usage(completion_tokens=tokens), "Because.", fault)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("end", "status", "repeated"),
    [
        (finished("request"), 400, False),
        (finished("request", 3), 400, False),
        (finished("server"), 503, True),
        (finished(None), 503, True),
        (finished("server", 3), 500, False),
        (finished("server", reason="interrupted"), 503, True),
        (finished("server", reason="timeout"), 504, False),
        (finished(None, reason="cancelled"), 409, False),
    ],
)
def test_an_ending_becomes_the_status_of_whose_fault_it_was(
    end: Finished, status: int, repeated: bool
) -> None:
    error = error_of_ending(end)
    assert error is not None
    assert (error.status, error.retry_after_s is not None) == (status, repeated)
    assert (error.detail.type == "server_error") == (status >= 500)


def test_every_ending_carries_whose_fault_it_was() -> None:
    assert [end.fault for end in (ENGINE_LOST, ENGINE_LOST_TWICE, ENGINE_DROPPED)] == ["server"] * 3
    assert (REFUSED.fault, CANCELLED.fault, ending_by_deadline("queue").fault) == ("request", None, "server")
    by_engine = [
        ending_by_engine(Output("g", finish_reason="error", error="x", fault="request")),
        ending_by_engine(Output("g", finish_reason="error", error="x")),
        ending_by_engine(Output("g", finish_reason="stop")),
        ending_by_engine(Output("g", finish_reason="cancelled")),
    ]
    assert [end.fault for end in by_engine] == ["request", "server", None, "server"]


@pytest.mark.parametrize("fault", ["request", "server", None])
def test_a_late_reader_learns_it_from_the_row(people: People, fault: Fault | None) -> None:
    id = str(submit(people.alice).generation)
    recorder = Recorder(next_epoch())
    recorder.do_claim([Claim(id, 1)])
    recorder.do_finish([Outcome(id, 1, "failed", "error", "", "", 0, Usage(), "Because.", fault)])
    (last,) = ending(Generation.objects.select_related("answer").get(id=id), 0)
    assert isinstance(last, Finished)
    assert last.fault == fault


async def check(seeds: range) -> None:
    """Whatever a server says in place of an answer, it is told whose fault that was."""
    server = Server("http://127.0.0.1:9", "")
    for seed in seeds:
        chance = random.Random(seed)
        status = chance.choice([*OUTAGES, *REFUSALS, 404, chance.randint(500, 599)])
        body = chance.choice(['{"error": {"message": "no"}}', '{"detail": "no"}', "<html>", "", "[]", "null"])
        with pytest.raises((RequestRefusedError, ServerTroubleError)) as caught:
            server._checked_body(httpx.Response(status, text=body), "/v1/chat/completions")
        found = getattr(caught.value, "fault", "server")
        assert found == ("request" if status in REFUSALS else "server"), f"seed {seed}: {status}"
        assert error_of_ending(finished(found)).status == (400 if status in REFUSALS else 503)  # type: ignore[union-attr]
    await server.close()


async def test_a_hundred_failures_of_servers() -> None:
    await check(range(100))


@pytest.mark.proof
async def test_two_thousand_failures_of_servers() -> None:
    await check(range(1_000, 3_000))
