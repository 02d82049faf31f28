"""One real site for the programs' tests: Daphne, SQLite and an emulated engine in a process of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from openai import AsyncOpenAI, OpenAI

from bench import keys
from bench.site import Site, embedded

OWNERS = 80
"""Each test gets keys of owners of its own, so that no test meets another's rate limit."""

EMULATED = {
    "CHATSITE_ENGINE": "emulated",
    "CHATSITE_EMULATED_STEP_S": "0.02",
    "CHATSITE_EMULATED_FIRST_TOKEN_S": "0.02",
    # Answers end at max_tokens or a stop string.
    "CHATSITE_EMULATED_ANSWER_TOKENS": "0",
}


@pytest.fixture(scope="session")
def api_site() -> Iterator[Site]:
    with embedded(EMULATED) as site:
        site.wait("/readyz")
        yield site


@pytest.fixture(scope="session")
def owners(api_site: Site) -> Iterator[str]:
    return iter(keys.of(api_site, OWNERS))


@pytest.fixture
def key(owners: Iterator[str]) -> str:
    return next(owners)


@pytest.fixture
def client(api_site: Site, key: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{api_site.url}/v1", api_key=key, max_retries=0, timeout=30) as client:
        yield client


@pytest.fixture
async def asynchronous(api_site: Site, key: str):
    async with AsyncOpenAI(base_url=f"{api_site.url}/v1", api_key=key, max_retries=0, timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
def model(api_site: Site, owners: Iterator[str]) -> str:
    """The id of the one model there is."""
    with OpenAI(base_url=f"{api_site.url}/v1", api_key=next(owners)) as client:
        return client.models.list().data[0].id
