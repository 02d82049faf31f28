"""How likely each token was: as the official client reads it, from a server behind the remote engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from chatsite.openai_api.logprobs import chat_logprobs, text_logprobs
from inference.request import TokenLogprob
from inference.stream_log.base import Delta, merge_deltas
from tests.support import site_keys as keys
from tests.support.prepared import prepare
from tests.support.scripted_server import ScriptedServer
from tests.support.site import embedded
from tests.support.waiting import PATIENCE_S

HELLO = [{"role": "user", "content": "Why is the sky blue?"}]
SEA = TokenLogprob("海", -0.25, (("海", -0.25), (" sea", -1.5)))
WIDE = TokenLogprob(" wide", -1.0, ((" wide", -1.0),))


@pytest.fixture
async def remote(tmp_path: Path) -> AsyncIterator[AsyncOpenAI]:
    """A client of a site whose engine is a scripted server."""
    server = await ScriptedServer().start()
    settings = {"CHATSITE_ENGINE": "remote", "CHATSITE_REMOTE_URLS": server.url}
    prepare(tmp_path)
    with embedded(settings, tmp_path) as site:
        await asyncio.to_thread(site.wait, "/readyz")  # which the scripted server answers, in this loop
        (key,) = await asyncio.to_thread(keys.of, site, 1)
        async with AsyncOpenAI(
            base_url=f"{site.url}/v1", api_key=key, max_retries=0, timeout=PATIENCE_S
        ) as client:
            yield client
    await server.stop()


@pytest.mark.site
async def test_whole_and_streamed(remote: AsyncOpenAI) -> None:
    model = (await remote.models.list()).data[0].id
    asked = {"model": model, "messages": HELLO, "logprobs": True, "top_logprobs": 2}
    whole = await remote.chat.completions.create(**asked)
    content = whole.choices[0].logprobs.content
    assert [one.token for one in content] == ["one", " two", " three"]
    assert content[1].bytes == list(b" two")
    assert content[1].logprob == -1.25
    assert [(one.token, one.logprob) for one in content[1].top_logprobs] == [(" TWO", -0.5), (" TWO", -1.5)]
    streamed = [
        one
        async for chunk in await remote.chat.completions.create(**asked, stream=True)
        for choice in chunk.choices
        if choice.logprobs
        for one in choice.logprobs.content
    ]
    assert streamed == content
    plain = await remote.chat.completions.create(model=model, messages=HELLO)
    assert plain.choices[0].logprobs is None


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"logprobs": True}, "logprobs"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"logprobs": True, "top_logprobs": -1}, "top_logprobs"),
    ],
)
def test_what_cannot_be_told_is_a_400(
    client: OpenAI, model: str, fields: dict[str, object], param: str
) -> None:
    """The emulated engine draws no tokens, so it knows of no probabilities."""
    with pytest.raises(openai.BadRequestError) as error:
        client.chat.completions.create(model=model, messages=HELLO, **fields)
    assert error.value.param == param


def test_coalesced_deltas_lose_none() -> None:
    (merged,) = merge_deltas(
        [Delta(1, "海", logprobs=(SEA,)), Delta(2, ""), Delta(3, " wide", logprobs=(WIDE,))]
    )
    assert isinstance(merged, Delta)
    assert merged.logprobs == (SEA, WIDE)


def test_the_words_of_the_old_endpoint() -> None:
    told = text_logprobs((SEA, WIDE), 7)
    assert told is not None
    assert told.tokens == ("海", " wide")
    assert told.text_offset == (7, 8)
    assert told.token_logprobs == (-0.25, -1.0)
    assert told.top_logprobs[0] == {"海": -0.25, " sea": -1.5}
    assert text_logprobs(()) is None


def test_bytes_are_those_of_the_text() -> None:
    told = chat_logprobs((SEA,))
    assert told is not None
    assert bytes(told.content[0].bytes).decode() == "海"
    assert chat_logprobs(()) is None
