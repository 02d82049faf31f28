"""A program that goes away: its generation ends with its connection; so do fifty."""

from __future__ import annotations

import asyncio
import json
import time
import zlib
from bisect import bisect_right
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from itertools import accumulate, islice

import httpx
import pytest

from inference.engines.emulated.text import token_texts
from tests.openai_api.asking import STORY, ask, running, until_running
from tests.support import site_keys as keys
from tests.support import transcript
from tests.support.site import Site
from tests.support.waiting import PATIENCE_S

STEP_S = 0.02
"""The emulated engine's step, as conftest sets it."""

ROUNDS = 3
"""The best one counts: what else the machine does can only add."""

NOTICED = 5
"""Requests for one token in whose time the engine hears of a closed connection: each is a socket, short
transactions and a wakeup too."""


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
    async with httpx.AsyncClient(
        base_url=api_site.url, trust_env=False, timeout=PATIENCE_S, limits=limits
    ) as client:
        yield client


async def test_closing_a_stream_frees_the_engine(api_site: Site, http, key: str, model: str) -> None:
    headers = {"Authorization": f"Bearer {key}"}

    async def unnoticed_s() -> float:
        """How long the engine goes on writing for nobody."""
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
        return transcript.read(api_site.transcript)[generation].steps[-1][0] - left

    async def request_s() -> float:
        began = time.monotonic()
        await http.post("/v1/chat/completions", json=ask(model, stream=False, max_tokens=1), headers=headers)
        return time.monotonic() - began

    assert min([await unnoticed_s() / await request_s() for _ in range(ROUNDS)]) < NOTICED


async def test_leaving_before_the_answer_frees_the_engine(api_site: Site, http, key: str, model: str) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    asking = asyncio.create_task(
        http.post("/v1/chat/completions", json=ask(model, stream=False), headers=headers)
    )
    await until_running(api_site, 1)
    asking.cancel()
    await asyncio.wait({asking})
    await until_running(api_site, 0)
    assert await tokens_used(http, key) < 5_000, "it was stopped before its end"


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
            gone = await asyncio.gather(*(opened(leaving, caller, 5_000) for caller in callers[50:]))
            # Kept: a reader that is dropped closes its connection.
            readers = [response.aiter_lines() for response in gone]
            left = [await generation_of(lines) for lines in readers]
            await until_running(api_site, 50)
            # Last, since they are to be under way when the others leave, on however slow a machine.
            kept = await asyncio.gather(*(opened(staying, caller, 300) for caller in callers[:50]))
            assert await asyncio.to_thread(running, api_site) > 50
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
    same. Nobody pays for what was not made; what was made and not charged had not been read when the engine
    heard, which on a busy machine is much. `leavers`: their generations.
    """
    await asyncio.to_thread(site.manage, "reconcile", "--dry-run")
    made = transcript.read(site.transcript)
    (whole,) = {await tokens_used(http, caller) for caller in stayers}
    prompt_tokens = whole - 300
    assert prompt_tokens > 0
    tokens = list(islice(token_texts(zlib.crc32(STORY.encode())), 5_000))
    lengths = list(accumulate(map(len, tokens)))
    for caller, generation in leavers.items():
        charged = await tokens_used(http, caller) - prompt_tokens
        # The last of these lengths: a token that completes no character was made and paid for too.
        count = bisect_right(lengths, len(made[generation].text))
        assert made[generation].text == "".join(tokens[:count])
        assert 0 < charged <= count < 5_000


async def tokens_used(http: httpx.AsyncClient, caller: str) -> int:
    answer = await http.get("/v1/usage", headers={"Authorization": f"Bearer {caller}"})
    used: int = answer.json()["tokens_used"]
    return used
