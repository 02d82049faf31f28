"""Questions to `/v1` and how many of them run, on the emulated engine."""

from __future__ import annotations

import asyncio
import re

import httpx

from tests.support.site import Site
from tests.support.waiting import PATIENCE_S

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


def running(site: Site) -> float:
    page = httpx.get(f"{site.url}/metrics", trust_env=False, timeout=PATIENCE_S).text
    return sum(float(n) for n in re.findall(r"^chatsite_requests_running\{.*\} (\S+)", page, re.MULTILINE))


async def until_running(site: Site, count: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while await asyncio.to_thread(running, site) != count:  # noqa: ASYNC110 - metrics announce nothing
            await asyncio.sleep(0.02)


def ask(model: str, *, stream: bool, max_tokens: int = 5_000) -> dict[str, object]:
    messages = [{"role": "user", "content": STORY}]
    return {"model": model, "messages": messages, "max_tokens": max_tokens, "stream": stream}


STORY = "Tell me a long story."
