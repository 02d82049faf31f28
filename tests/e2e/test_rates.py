"""Rate limits of one account over two real web processes that share Redis: exact to the request."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest

from bench import site as sites
from tests.e2e.test_kill import FAST

pytestmark = [pytest.mark.postgres, pytest.mark.redis]

PER_MINUTE = 8
PER_SECOND = 5
"""The site's own, of one person (chatsite/ratelimit.py)."""

BURSTS, AT_ONCE = 5, 6
APART_S = 1.1
WALK_S = BURSTS * APART_S + 4

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
    with sites.apart(settings, webs=2) as running:
        running[0].manage("shell", "-c", MAKE_KEY)
        yield running


async def test_two_web_processes_allow_exactly_the_minutes_limit(webs: list[sites.Site]) -> None:
    headers = {"Authorization": f"Bearer {(webs[0].data_dir / 'key').read_text()}"}
    async with httpx.AsyncClient(trust_env=False, headers=headers, timeout=30) as client:

        async def ask(site: sites.Site) -> httpx.Response:
            asked = {"model": model, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
            return await client.post(f"{site.url}/v1/chat/completions", json=asked)

        models = await client.get(f"{webs[0].url}/v1/models")
        model = models.json()["data"][0]["id"]
        allowed: Counter[int] = Counter()
        first = await ask(webs[0])
        left_s = float(first.headers["x-ratelimit-reset-requests"].rstrip("s"))
        if left_s < WALK_S:  # all of it in one window
            await asyncio.sleep(left_s + 1)
        else:
            allowed[0] += 1
        for _ in range(BURSTS):
            sides = [n % 2 for n in range(AT_ONCE)]
            answers = await asyncio.gather(*(ask(webs[side]) for side in sides))
            assert {answer.status_code for answer in answers} <= {200, 429}
            allowed.update(side for side, one in zip(sides, answers, strict=True) if one.status_code == 200)
            await asyncio.sleep(APART_S)
    assert allowed.total() == PER_MINUTE
    assert min(allowed[0], allowed[1]) > 0
