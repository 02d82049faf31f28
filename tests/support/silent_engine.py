"""An engine that is announced and answers nothing: for what happens before the first token."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest

from chatsite.backends import status_store
from chatsite.openai_api import sse
from inference.engines.base import EngineInfo
from inference.status import InferenceStatus

ENGINE = EngineInfo(engine="emulated", model="m", context_tokens=4_096, kv_tokens=9_000, max_running=4)


LINE_S = 3.5
"""In which the queue as it stands would be served, by the status."""


SOON_S = 0.01
"""Nothing answers, so there is nothing to wait for before the status line."""


@pytest.fixture
async def engine(own_connections: None, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """One that is announced, and computes nothing."""
    monkeypatch.setattr(sse, "ANSWER_WITHIN_S", SOON_S)
    await status_store().publish(
        InferenceStatus(at=time.time(), state="ready", info=ENGINE, retry_after_s=LINE_S)
    )
    yield
    # Redis outlives a test.
    await status_store().publish(InferenceStatus(at=0, state="down"))
