"""One real site for the programs' tests: Daphne, SQLite and an emulated engine in a process of their own."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from openai import AsyncOpenAI, OpenAI

from bench import keys
from bench.site import Site
from chatsite.database import close_threads
from tests.clients import close_clients
from tests.prepared import prepared_site

OWNERS = 80
"""Each test gets keys of owners of its own, so that no test meets another's rate limit."""

EMULATED = {
    "CHATSITE_ENGINE": "emulated",
    "CHATSITE_EMULATED_STEP_S": "0.02",
    "CHATSITE_EMULATED_FIRST_TOKEN_S": "0.02",
    # Answers end at max_tokens or a stop string.
    "CHATSITE_EMULATED_ANSWER_TOKENS": "0",
    # Low enough to be met by a slow machine too, which never asks five times in one second.
    "RATE_LIMIT_PER_MINUTE": "40",
    # Every test asks from one address, and some with wrong keys on purpose.
    "CHATSITE_WRONG_KEYS_PER_MINUTE": "100000",
}


@pytest.fixture(scope="session")
def api_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with prepared_site(EMULATED, tmp_path_factory.mktemp("api")) as site:
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


@pytest.fixture
async def own_connections(transactional_db: None):
    """For views in this process: connections belong to the event loop and the database of one test."""
    yield
    await unread_streams_ended()
    await close_clients()
    close_threads()
    await sync_to_async(connections.close_all)()


async def unread_streams_ended() -> None:
    """Streams that a test left unread hold connections of this loop: they end now, while it lives."""
    gc.collect()
    await asyncio.sleep(0)
    async with asyncio.timeout(30):
        while left := [task for task in asyncio.all_tasks() if _is_of_a_stream(task)]:
            await asyncio.wait(left)


def _is_of_a_stream(task: asyncio.Task[object]) -> bool:
    return task is not asyncio.current_task() and task.get_name() != "stream-log-listener"
