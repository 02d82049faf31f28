"""One real site for the programs' tests: Daphne, SQLite and an emulated engine in a process of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from openai import AsyncOpenAI, OpenAI

from tests.openai_api.asking import EMULATED
from tests.support import site_keys as keys
from tests.support.connections import own_connections
from tests.support.prepared import prepared_site
from tests.support.site import Site
from tests.support.waiting import PATIENCE_S

__all__ = ["own_connections"]

OWNERS = 80
"""Each test gets keys of owners of its own, so that no test meets another's rate limit."""


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
    with OpenAI(base_url=f"{api_site.url}/v1", api_key=key, max_retries=0, timeout=PATIENCE_S) as client:
        yield client


@pytest.fixture
async def asynchronous(api_site: Site, key: str):
    async with AsyncOpenAI(
        base_url=f"{api_site.url}/v1", api_key=key, max_retries=0, timeout=PATIENCE_S
    ) as client:
        yield client


@pytest.fixture(scope="session")
def model(api_site: Site, owners: Iterator[str]) -> str:
    """The id of the one model there is."""
    with OpenAI(base_url=f"{api_site.url}/v1", api_key=next(owners)) as client:
        return client.models.list().data[0].id
