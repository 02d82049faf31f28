"""Beside every storm others' answers come whole and in order. No times: those are `bench hostile`."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator

import httpx
import pytest

from tests.support import storms
from tests.support.chat_client import Person, Stream
from tests.support.prepared import prepared_site
from tests.support.site import HOST, Site
from tests.support.storms import STORMS, Attacker
from tests.support.waiting import until

MEMBERS, QUESTIONS = 3, 3

TOLD = {
    "searches in long messages": "429 One of these is under way",
    "unread conversations": "429 3 of these are under way",
    "endless bodies": "413",
    "wrong passwords": "503 Too many people are signing in",
    "imports": "import finished",
}
"""What the attacker is shown of a storm that is refused; others only wait."""


@pytest.fixture(scope="module")
def stormy_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with prepared_site(storms.SETTINGS, tmp_path_factory.mktemp("stormy")) as site:
        yield site


@pytest.fixture(scope="module")
def attacker(stormy_site: Site) -> Attacker:
    """One for all storms: their long messages and their answer are only read."""
    attacker = Attacker(stormy_site, *stormy_site.people(1))
    asyncio.run(attacker.prepare(4, 400_000))
    return attacker


async def questions(site: Site, number: int, cookie: str) -> list[tuple[Stream, str]]:
    """One member's answers, one after the other, each with what the site stored of it."""
    person = Person(number, HOST, site.port, cookie)
    await person.connect()
    streams = [await person.ask("Why is the sky blue?", 40) for _ in range(QUESTIONS)]
    person.close()
    stored = []
    async with httpx.AsyncClient(base_url=site.url, trust_env=False, timeout=storms.TIMEOUT_S) as client:
        for stream in streams:
            answer = await client.get(f"/api/conversations/{stream.conversation}", headers={"Cookie": cookie})
            texts = {message["id"]: message["content"] for message in answer.json()["messages"]}
            stored.append(texts[stream.answer])
    return list(zip(streams, stored, strict=True))


async def leave_connections() -> None:
    """End what requests that were cancelled halfway left open: a warning of it would fail a later test."""
    for transport in list(asyncio.get_running_loop()._transports.values()):  # type: ignore[attr-defined]
        transport.abort()
    await asyncio.sleep(0)
    gc.collect()


@pytest.mark.site
@pytest.mark.parametrize("name", STORMS)
async def test_others_are_answered_whole(
    stormy_site: Site, attacker: Attacker, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storms, "HALF_OPEN", 100)
    others = await asyncio.to_thread(stormy_site.people, MEMBERS)
    attacker.told.clear()
    over = asyncio.Event()
    storm = asyncio.create_task(STORMS[name](attacker, over))
    answered = await asyncio.gather(*(questions(stormy_site, *one) for one in enumerate(others)))
    if name in TOLD and name not in ("imports", "unread conversations"):
        await until(lambda: any(words.startswith(TOLD[name]) for words in attacker.told))
    over.set()
    await storm
    await leave_connections()
    for stream, stored in (one for member in answered for one in member):
        assert (stream.failure, stream.disorder) == ("", 0)
        assert stream.text == stored
        assert stored
    if name in TOLD:
        assert any(words.startswith(TOLD[name]) for words in attacker.told), attacker.told
