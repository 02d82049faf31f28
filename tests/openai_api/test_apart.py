"""Programs with the tiers apart: Daphne and the inference worker, on PostgreSQL and Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from uuid import UUID

import pytest
from openai import AsyncOpenAI

from tests.openai_api.asking import EMULATED
from tests.support import site_keys as keys
from tests.support import transcript
from tests.support.kills import stored
from tests.support.prepared import prepared_apart
from tests.support.site import Site
from tests.support.waiting import LOOK_S, PATIENCE_S, until, until_still

pytestmark = [pytest.mark.postgres, pytest.mark.redis]

HELLO = [{"role": "user", "content": "Why is the sky blue?"}]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with prepared_apart(EMULATED) as (site, *_):
        yield site


@pytest.fixture
async def client(site: Site):
    (key,) = await asyncio.to_thread(keys.of, site, 1)
    async with AsyncOpenAI(
        base_url=f"{site.url}/v1", api_key=key, max_retries=3, timeout=PATIENCE_S
    ) as client:
        yield client


@pytest.fixture
async def model(client: AsyncOpenAI) -> str:
    """The engine's model; none is listed while its status is late, as on a busy machine."""
    async with asyncio.timeout(PATIENCE_S):
        while not (listed := (await client.models.list()).data):  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(LOOK_S)
    return listed[0].id


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
    generation = str(UUID((await anext(aiter(stream))).id.removeprefix("chatcmpl-")))
    await stream.close()
    await until(lambda: stored(site)[generation]["status"] == "cancelled")
    assert await until_still(lambda: len(transcript.read(site.transcript)[generation].steps)) < 5_000
