"""A program that goes away: its generation ends with its connection; so do fifty."""

from __future__ import annotations

import asyncio
import json
import re
import time
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from itertools import islice

import httpx
import pytest

from bench import keys, transcript
from bench.site import Site
from inference.engines.emulated_text import pieces

STORY = "Tell me a long story."
STEP_S = 0.02
"""The emulated engine's step, as conftest sets it."""

NOTICED_S = 0.5
"""Closing a socket, two short transactions and a doorbell, on a machine that is busy with other tests."""

UNDER_WAY_STEPS = round(NOTICED_S / STEP_S)
"""What the engine may make for somebody who has left, until it hears of it."""


def running(site: Site) -> float:
    page = httpx.get(f"{site.url}/metrics", trust_env=False).text
    return sum(float(n) for n in re.findall(r"^chatsite_requests_running\{.*\} (\S+)", page, re.MULTILINE))


async def until_running(site: Site, count: int, within_s: float = 10) -> None:
    end = time.monotonic() + within_s
    while (now := await asyncio.to_thread(running, site)) != count:
        assert time.monotonic() < end, f"{now} run where {count} were expected"
        await asyncio.sleep(0.02)


def ask(model: str, *, stream: bool, max_tokens: int = 5_000) -> dict[str, object]:
    messages = [{"role": "user", "content": STORY}]
    return {"model": model, "messages": messages, "max_tokens": max_tokens, "stream": stream}


async def generation_of(lines: AsyncIterator[str]) -> str:
    """By the first event; on a busy machine comments come before it."""
    line = await anext(lines)
    while not line.startswith("data: "):
        line = await anext(lines)
    id = json.loads(line.removeprefix("data: "))["id"].removeprefix("chatcmpl-")
    return f"{id[:8]}-{id[8:12]}-{id[12:16]}-{id[16:20]}-{id[20:]}"


@pytest.fixture
async def http(api_site: Site):
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=api_site.url, trust_env=False, timeout=30, limits=limits) as client:
        yield client


async def test_closing_a_stream_frees_the_engine(api_site: Site, http, key: str, model: str) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    async with http.stream(
        "POST", "/v1/chat/completions", json=ask(model, stream=True), headers=headers
    ) as response:
        lines = response.aiter_lines()
        generation = await generation_of(lines)
        for _ in range(20):
            await anext(lines)
        await until_running(api_site, 1)
    left = time.monotonic()
    await until_running(api_site, 0)
    await asyncio.sleep(5 * STEP_S)
    last = transcript.read(api_site.transcript)[generation].steps[-1][0]
    assert last - left < NOTICED_S + STEP_S, "the engine went on writing for nobody"


async def test_leaving_before_the_answer_frees_the_engine(api_site: Site, http, key: str, model: str) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    asking = asyncio.create_task(
        http.post("/v1/chat/completions", json=ask(model, stream=False), headers=headers)
    )
    await until_running(api_site, 1)
    asking.cancel()
    await asyncio.wait({asking})
    await until_running(api_site, 0, within_s=NOTICED_S + 1)


async def test_half_of_a_hundred_streams_leave_and_the_rest_goes_on(
    api_site: Site, http, model: str, owners: Iterator[str]
) -> None:
    callers = await asyncio.to_thread(keys.of, api_site, 100, 1_000)

    async def opened(stack: AsyncExitStack, caller: str, max_tokens: int) -> httpx.Response:
        headers = {"Authorization": f"Bearer {caller}"}
        body = ask(model, stream=True, max_tokens=max_tokens) | {"stream_options": {"include_usage": True}}
        request = http.stream("POST", "/v1/chat/completions", json=body, headers=headers)
        response = await stack.enter_async_context(request)
        assert response.status_code == 200
        return response

    async with AsyncExitStack() as staying:
        async with AsyncExitStack() as leaving:
            stay = [opened(staying, caller, 300) for caller in callers[:50]]
            leave = [opened(leaving, caller, 5_000) for caller in callers[50:]]
            kept, gone = await asyncio.gather(asyncio.gather(*stay), asyncio.gather(*leave))
            # Kept: a reader that is dropped closes its connection.
            readers = [response.aiter_lines() for response in gone]
            left = [await generation_of(lines) for lines in readers]
            await until_running(api_site, 100)
        await until_running(api_site, 50, within_s=3)
        texts = await asyncio.gather(*(response.aread() for response in kept))
    assert all(text.endswith(b"data: [DONE]\n\n") for text in texts)
    assert all(b'"finish_reason":"length"' in text for text in texts)
    await until_running(api_site, 0)
    await check_ledger(api_site, http, dict(zip(callers[50:], left, strict=True)), callers[:50])


async def check_ledger(
    site: Site, http: httpx.AsyncClient, leavers: dict[str, str], stayers: list[str]
) -> None:
    """Who stayed pays for all 300 tokens, who left for what the engine made until it heard of it.

    The transcript is the engine's own word, in text; the text of so many tokens is known, for all asked the
    same. Nobody pays for what was not made; what was made and not charged are the steps under way when the
    engine heard, of which a busy loop catches up a few at once. `leavers`: their generations.
    """
    await asyncio.to_thread(site.manage, "reconcile", "--dry-run")
    made = transcript.read(site.transcript)
    (whole,) = {await tokens_used(http, caller) for caller in stayers}
    prompt_tokens = whole - 300
    assert prompt_tokens > 0
    tokens = list(islice(pieces(zlib.crc32(STORY.encode())), 5_000))
    for caller, generation in leavers.items():
        charged = await tokens_used(http, caller) - prompt_tokens
        assert charged > 0
        under_way = range(charged, charged + UNDER_WAY_STEPS + 1)
        assert made[generation].text in {"".join(tokens[:count]) for count in under_way}


async def tokens_used(http: httpx.AsyncClient, caller: str) -> int:
    answer = await http.get("/v1/usage", headers={"Authorization": f"Bearer {caller}"})
    used: int = answer.json()["tokens_used"]
    return used
