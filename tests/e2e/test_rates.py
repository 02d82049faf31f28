"""Rate limits of one account over two real web processes that share Redis: exact to the request."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest

from tests.support import site as sites
from tests.support.kills import FAST
from tests.support.prepared import prepared_apart
from tests.support.waiting import PATIENCE_S

pytestmark = [pytest.mark.postgres, pytest.mark.redis]

PER_MINUTE = 8
PER_SECOND = 5
"""The site's own, of one person (chatsite/ratelimit.py)."""

BURSTS, AT_ONCE = 3, 6
APART_S = 1.1
WALK_S = BURSTS * APART_S + 4
WINDOW_S = 60

MAKE_KEY = """
from django.conf import settings
from chatsite.accounts.keys import do_create_key
from chatsite.accounts.models import User
person = User.objects.create_user("caller@bench.invalid")
(settings.DATA_DIR / "key").write_text(do_create_key(person.pk, "a script", ["models", "chat"])[1])
"""


@pytest.fixture(scope="module")
def webs() -> Iterator[list[sites.Site]]:
    settings = FAST | {"RATE_LIMIT_PER_MINUTE": str(PER_MINUTE), "CHATSITE_EMULATED_ANSWER_TOKENS": "1"}
    with prepared_apart(settings, webs=2) as running:
        running[0].manage("shell", "-c", MAKE_KEY)
        yield running


def left_of_window_s(answer: httpx.Response) -> float:
    return float(answer.headers["x-ratelimit-reset-requests"].rstrip("s"))


async def test_two_web_processes_allow_exactly_the_minutes_limit(webs: list[sites.Site]) -> None:
    headers = {"Authorization": f"Bearer {(webs[0].data_dir / 'key').read_text()}"}
    async with httpx.AsyncClient(trust_env=False, headers=headers, timeout=PATIENCE_S) as client:

        async def ask(site: sites.Site) -> httpx.Response:
            asked = {"model": model, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
            return await client.post(f"{site.url}/v1/chat/completions", json=asked)

        models = await client.get(f"{webs[0].url}/v1/models")
        model = models.json()["data"][0]["id"]
        sides, loop = [n % 2 for n in range(AT_ONCE)], asyncio.get_running_loop()
        while True:  # until one window holds all of it
            began = loop.time()
            left_s, allowed = left_of_window_s(await ask(webs[0])), Counter([0])
            if left_s >= WALK_S:
                for _ in range(BURSTS):
                    await asyncio.sleep(APART_S)
                    answers = await asyncio.gather(*(ask(webs[side]) for side in sides))
                    assert {answer.status_code for answer in answers} <= {200, 429}
                    allowed.update(side for side, one in zip(sides, answers, strict=True) if one.is_success)
                if loop.time() - began < left_s - 1:
                    break
                left_s += WINDOW_S  # the next one has counted some of it
            await asyncio.sleep(left_s + 1 - (loop.time() - began))
    assert allowed.total() == PER_MINUTE
    assert min(allowed[0], allowed[1]) > 0
