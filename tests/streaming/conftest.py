"""Clients that belong to the loop of one test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.clients import close_clients


@pytest.fixture(autouse=True)
async def clients_of_this_loop() -> AsyncIterator[None]:
    yield
    await close_clients()
