"""Do strangers who start single sign-on at a provider that stalls slow down everybody else?

Quiet spells and spells with sixty such strangers take turns on one site; one signed-in person asks for pages
all the while. Sides: one process on SQLite, and the tiers apart on PostgreSQL and Redis with a default pool.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

import httpx

from bench.results import Result
from tests.support.errors import BenchmarkError
from tests.support.openid_provider import CLIENT_ID, CLIENT_SECRET, DISCOVERY, OpenIDProvider, running
from tests.support.site import HOST, Site, apart, embedded
from tests.support.stats import paired_ratio, percentile, spread

STRANGERS = 60
TURNS, FULL_TURNS = 5, 20
SPELL_S = 4.0
"""Shorter than the site's deadline for a call, so that the strangers wait through the whole of it."""

PAUSE_S = 6.0
"""Until the site has told the strangers, and asks the provider anew."""

PAGES = ("/api/conversations", "/usage", "/readyz")
SIGN_IN = "/accounts/oidc/sso/login/"


async def strangers_start(site: Site) -> list[asyncio.Task[int]]:
    """Each from an address of their own, as the proxy says; what they are answered."""
    limits = httpx.Limits(max_connections=None)
    client = httpx.AsyncClient(base_url=site.url, trust_env=False, timeout=None, limits=limits)
    page = await client.get("/accounts/login/")
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    form = {"csrfmiddlewaretoken": token[1] if token else ""}

    async def start(number: int) -> int:
        headers = {"X-Forwarded-For": f"192.0.2.{number}", "Referer": site.url}
        return (await client.post(SIGN_IN, data=form, headers=headers)).status_code

    return [asyncio.create_task(start(number)) for number in range(STRANGERS)]


async def spell(site: Site, cookie: str, seconds: float) -> list[float]:
    """How long each page took, in seconds, asked one after the other for so long."""
    took: list[float] = []
    async with httpx.AsyncClient(base_url=site.url, trust_env=False, headers={"Cookie": cookie}) as client:
        ends = perf_counter() + seconds
        while perf_counter() < ends:
            for page in PAGES:
                began = perf_counter()
                answer = await client.get(page)
                took.append(perf_counter() - began)
                if answer.status_code != httpx.codes.OK:
                    raise BenchmarkError(f"{page} answered {answer.status_code}")
    return took


@dataclass(frozen=True)
class Turn:
    """Seconds of each request, alone and beside strangers; how many of these waited through all of it."""

    quiet: list[float]
    beside: list[float]
    held: int

    def shown(self) -> dict[str, object]:
        """As it is kept: a thousand requests a spell are more than a repository should hold."""
        return {"quiet_s": spread(self.quiet), "beside_s": spread(self.beside), "held": self.held}


async def turn(site: Site, cookie: str) -> Turn:
    """A quiet spell, then one with the strangers."""
    quiet = await spell(site, cookie, SPELL_S)
    waiting = await strangers_start(site)
    beside = await spell(site, cookie, SPELL_S)
    held = sum(not task.done() for task in waiting)
    answers = await asyncio.gather(*waiting)
    if set(answers) != {httpx.codes.SERVICE_UNAVAILABLE}:
        raise BenchmarkError(f"strangers were answered {sorted(set(answers))}, not that the provider stalls")
    await asyncio.sleep(PAUSE_S)
    return Turn(quiet, beside, held)


async def turns(site: Site, count: int) -> list[Turn]:
    cookie = site.sign_in()
    await spell(site, cookie, SPELL_S)  # what is loaded by the first requests belongs to neither side
    return [await turn(site, cookie) for _ in range(count)]


def ratio(side: Sequence[Turn], p: float) -> float:
    """The p-th percentile beside strangers over the one without, by turns."""
    return paired_ratio(
        [percentile(one.beside, p) for one in side], [percentile(one.quiet, p) for one in side]
    )


def row(name: str, side: Sequence[Turn]) -> list[object]:
    quiet = [took * 1000 for one in side for took in one.quiet]
    beside = [took * 1000 for one in side for took in one.beside]
    cells = [percentile(samples, p) for p in (50, 95) for samples in (quiet, beside)]
    return [name, *cells, ratio(side, 50), ratio(side, 95), min(one.held for one in side)]


def run(full: bool) -> Result:
    """Each side with the provider stalled from the start."""
    measured = {}
    with running(OpenIDProvider(stalled={DISCOVERY})) as provider:
        settings = {
            "CHATSITE_ENGINE": "emulated",
            "CHATSITE_OIDC_SERVER": provider.url,
            "CHATSITE_OIDC_CLIENT_ID": CLIENT_ID,
            "CHATSITE_OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "CHATSITE_OIDC_ALLOW_HTTP": "true",
            "CHATSITE_TRUSTED_PROXIES": HOST,
        }
        count = FULL_TURNS if full else TURNS
        with embedded(settings) as site:
            site.wait("/readyz")
            measured["SQLite, one process"] = asyncio.run(turns(site, count))
        with apart(settings) as (site,):
            measured["PostgreSQL and Redis"] = asyncio.run(turns(site, count))
    percentiles = ("p50 ms quiet", "p50 ms beside", "p95 ms quiet", "p95 ms beside")
    return Result(
        name="stalled_provider",
        engine="emulated",
        full=full,
        settings={"strangers": STRANGERS, "turns": count, "spell_s": SPELL_S, "pages": list(PAGES)},
        summary={f"ratio_p{p}": max(ratio(side, p) for side in measured.values()) for p in (50, 95)},
        columns=("site", *percentiles, "ratio p50", "ratio p95", "held to the end"),
        rows=[row(name, side) for name, side in measured.items()],
        samples={name: [one.shown() for one in side] for name, side in measured.items()},
        notes=["The sixty starts themselves are part of the strangers' spell."],
    )
