"""Programs with the tiers apart: Daphne and the inference worker, on PostgreSQL and Redis."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest
from openai import AsyncOpenAI

from bench import keys, transcript
from bench.site import Site, apart
from tests.openai_api.conftest import EMULATED

pytestmark = [pytest.mark.postgres, pytest.mark.redis]

HELLO = [{"role": "user", "content": "Why is the sky blue?"}]
NOTICED_S = 1.0
"""Closing a socket, two short transactions, Redis twice, on a machine that is busy with other tests."""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with apart(EMULATED) as (site, *_):
        yield site


@pytest.fixture
async def client(site: Site):
    (key,) = await asyncio.to_thread(keys.of, site, 1)
    async with AsyncOpenAI(base_url=f"{site.url}/v1", api_key=key, max_retries=3, timeout=30) as client:
        yield client


@pytest.fixture
async def model(client: AsyncOpenAI) -> str:
    return (await client.models.list()).data[0].id


async def test_whole_and_streamed_answers_agree(client: AsyncOpenAI, model: str) -> None:
    asked = {"model": model, "messages": HELLO, "max_tokens": 40, "seed": 4}
    whole = await client.chat.completions.create(**asked)
    stream = await client.chat.completions.create(**asked, stream=True)
    text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
    assert text == whole.choices[0].message.content


async def test_leaving_stops_the_engine(site: Site, client: AsyncOpenAI, model: str) -> None:
    stream = await client.chat.completions.create(
        model=model, messages=HELLO, max_tokens=5_000, stream=True, seed=9
    )
    first = await anext(aiter(stream))
    await stream.close()
    left = time.monotonic()
    await asyncio.sleep(2 * NOTICED_S)
    made = {id.replace("-", ""): one for id, one in transcript.read(site.transcript).items()}
    assert made[first.id.removeprefix("chatcmpl-")].steps[-1][0] - left < NOTICED_S
