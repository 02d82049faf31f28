"""Two web processes behind nginx and Caddy, restarted one after the other while answers stream.

`pytest -m proof -s tests/e2e/test_behind_proxies.py` prints the table of docs/operations.md.
"""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import httpx
import pytest

from tests.support import site as sites
from tests.support.kills import FAST, made, stored
from tests.support.prepared import prepared_apart
from tests.support.proxies import BEHIND, HOST, ORIGIN, Proxy, proxy
from tests.support.tab import Tab
from tests.support.waiting import PATIENCE_S, until

pytestmark = [pytest.mark.proof, pytest.mark.postgres, pytest.mark.redis]

PEOPLE, READERS, STREAMS = 10, 4, 4

SETTINGS = FAST | BEHIND | {
    "CHATSITE_EMULATED_STEP_S": "0.02",
    "CHATSITE_EMULATED_MAX_RUNNING": "32",
    "CHATSITE_EMULATED_ANSWER_TOKENS": "200",
    "CHATSITE_DRAIN_S": "60",
}  # fmt: skip
"""Four seconds an answer, all of them at once."""

MAKE_KEY = """
from django.conf import settings
from chatsite.accounts.keys import do_create_key
from chatsite.accounts.models import User
person = User.objects.create_user("caller@bench.invalid")
(settings.DATA_DIR / "key").write_text(do_create_key(person.pk, "a script", ["models", "chat"])[1])
"""

CSRF = "a" * 32
"""A form's token is whatever the cookie says."""


@dataclass
class Seen:
    """What came of everything that was asked meanwhile."""

    answers: Counter[str] = field(default_factory=Counter)
    streams: Counter[str] = field(default_factory=Counter)
    over: bool = False


def client_of(door: Proxy, **headers: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=f"https://127.0.0.1:{door.port}", verify=door.trust, trust_env=False, timeout=PATIENCE_S,
        headers={"Host": HOST, "Origin": ORIGIN, **headers},
    )  # fmt: skip


async def read_pages(door: Proxy, cookie: str, seen: Seen) -> None:
    """As a browser does, one request after the other, every second one a form."""
    headers = {"Cookie": f"{cookie}; csrftoken={CSRF}", "X-CSRFToken": CSRF}
    async with client_of(door, **headers) as client:
        for number in count():
            if seen.over:
                return
            method, path = (
                ("POST", "/api/usage/notices/seen") if number % 2 else ("GET", "/api/conversations")
            )
            try:
                answer = await client.request(method, path, extensions={"sni_hostname": HOST})
                seen.answers[f"{method} {answer.status_code}"] += 1
            except httpx.TransportError as error:
                seen.answers[f"{method} {type(error).__name__}"] += 1
            await asyncio.sleep(0.02)


async def stream(door: Proxy, key: str, model: str, seen: Seen) -> None:
    """A program's answer by `/v1`, again and again."""
    body = {"model": model, "messages": [{"role": "user", "content": "Why?"}], "stream": True}
    async with client_of(door, Authorization=f"Bearer {key}") as client:
        while not seen.over:
            try:
                async with client.stream(
                    "POST", "/v1/chat/completions", json=body, extensions={"sni_hostname": HOST}
                ) as answer:
                    text = "".join([part async for part in answer.aiter_text()])
                whole = text.rstrip().endswith("[DONE]") and answer.status_code == 200
                seen.streams["whole" if whole else f"cut ({answer.status_code})"] += 1
            except httpx.TransportError as error:
                seen.streams[f"cut ({type(error).__name__})"] += 1
            await asyncio.sleep(0.02)


async def restart(site: sites.Site) -> float:
    """End this web process in order, and start it again; seconds until it is ready."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    (old,) = [child for child in site.children if "daphne" in child.args]
    old.send_signal(signal.SIGTERM)
    await until(lambda: old.poll() is not None)
    site.children.remove(old)
    site.spawn(*map(str, old.args))  # type: ignore[arg-type]
    await asyncio.to_thread(site.wait, "/readyz")
    return loop.time() - began


@asynccontextmanager
async def crowd(door: Proxy, webs: list[sites.Site], seen: Seen) -> AsyncIterator[list[Tab]]:
    """Tabs that always have an answer coming, and others' pages and streams beside them."""
    key = (webs[0].data_dir / "key").read_text()
    async with client_of(door, Authorization=f"Bearer {key}") as client:
        listed = await client.get("/v1/models", extensions={"sni_hostname": HOST})
    model = listed.json()["data"][0]["id"]
    cookies = webs[0].people(PEOPLE + READERS)
    tabs = [Tab(webs[0], cookie, open=True, door=door.socket("/ws/chat/")) for cookie in cookies[:PEOPLE]]
    living = [asyncio.create_task(tab.live()) for tab in tabs]
    beside = [asyncio.create_task(read_pages(door, cookie, seen)) for cookie in cookies[PEOPLE:]]
    beside += [asyncio.create_task(stream(door, key, model, seen)) for _ in range(STREAMS)]
    asking = asyncio.create_task(keep_asking(tabs, seen))
    yield tabs
    seen.over = True
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.gather(asking, *living, *beside)


async def keep_asking(tabs: list[Tab], seen: Seen) -> None:
    """A question more for each tab whose last one is answered."""
    for number in count():
        if seen.over:
            break
        for tab in tabs:
            if len(tab.ended) == len(tab.asked):
                await tab.ask_now(f"Question {number}")
        await asyncio.sleep(0.05)
    for tab in tabs:
        await tab.ask_last("The last question")


@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=getattr(pytest.mark, one)) for one in ("nginx", "caddy")]
)
async def test_web_processes_restart_one_after_the_other(name: str, tmp_path: Path) -> None:
    """No answer is lost or doubled, no program's stream is cut, nobody gets a proxy's error page."""
    seen = Seen()
    with prepared_apart(SETTINGS, webs=2) as webs:
        webs[0].manage("shell", "-c", MAKE_KEY)
        with proxy(name, tmp_path, [web.port for web in webs]) as door:
            async with crowd(door, webs, seen) as tabs:
                await until(lambda: all(tab.accepted for tab in tabs) and seen.streams["whole"])
                before = {id(tab): tab.connections for tab in tabs}
                took = [await restart(web) for web in (*webs, *webs)]
        held, transcript = stored(webs[0]), made(webs[0].transcript)
    answers = [(id, answer) for tab in tabs for id, answer in tab.answers.items()]
    lost = sum(len(tab.asked) - len(tab.accepted) for tab in tabs)
    lost += sum(held[id]["status"] != "finished" for id, _ in answers)
    doubled = len(answers) - len({id for id, _ in answers})
    altered = sum(not answer.text == held[id]["content"] == transcript[id] for id, answer in answers)
    again = [tab.connections - before[id(tab)] for tab in tabs]
    print(
        f"\n{name}: {len(answers)} answers, {sum(again)} reconnections; lost {lost}, doubled {doubled}, "
        f"altered {altered}; requests {dict(seen.answers)}; /v1 {dict(seen.streams)}; "
        f"restarts {', '.join(f'{one:.1f} s' for one in took)}"
    )
    assert (lost, doubled, altered) == (0, 0, 0)
    assert all(again), "every tab was served by a process that ended"
    assert seen.answers.keys() == {"GET 200", "POST 204"}
    assert seen.streams.keys() == {"whole"}
