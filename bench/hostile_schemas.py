"""Schemas that are made to cost their compiler, beside people's running answers on real vLLM.

Programs of several owners send them to `/v1`, most within the bounds that are checked first. Asked: is each
refused or served, how long is the longest gap in a running answer, and is the engine's process the same at
the end.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from time import perf_counter
from typing import Any

import httpx

from bench.results import Result
from tests.support import site_keys as keys
from tests.support.hostile_schemas import SEED, Schema, hostile_schemas
from tests.support.site import Site, embedded

SCHEMAS = {False: 40, True: 200}
"""Short and long form."""

OWNERS = 4
AT_ONCE = 3
"""Requests of one owner: twelve in all, beside the streams."""

STREAMS = 2
ALONE_S = 10
"""How long the streams run alone first."""

PLAIN = 60
"""Requests without a schema from the same owners before: what the streams feel of the company alone."""

TOKENS = 24
"""That an answer held to a schema may have: masks are filled for each."""

TIMEOUT_S = 180


class Attack:
    """The streams, the schemas and what became of them."""

    def __init__(self, site: Site, api_keys: list[str], model: str) -> None:
        self._url = f"{site.url}/v1/chat/completions"
        self._keys = api_keys
        self._model = model
        self._over = asyncio.Event()
        self.gaps: dict[str, list[float]] = {"alone": [], "plain": [], "attacked": []}
        self.outcomes: Counter[str] = Counter()
        self.answers_s: list[float] = []
        self.failures: list[dict[str, str]] = []
        self.broken = 0
        self._phase = "alone"

    async def run(self, schemas: list[Schema]) -> None:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(trust_env=False, timeout=TIMEOUT_S, limits=limits) as self._client:
            streams = [asyncio.create_task(self._stream(n)) for n in range(STREAMS)]
            await asyncio.sleep(ALONE_S)
            await self._all("plain", [None] * PLAIN)
            await self._all("attacked", schemas)
            self._over.set()
            await asyncio.gather(*streams)

    async def _all(self, phase: str, schemas: Sequence[Schema | None]) -> None:
        self._phase = phase
        self.outcomes.clear()
        self.answers_s.clear()
        await asyncio.gather(*(self._owner(n, schemas[n::OWNERS]) for n in range(OWNERS)))

    async def _stream(self, number: int) -> None:
        """One person's answers, one after the other, until the schemas are through."""
        while not self._over.is_set():
            asked = self._asked("Tell me a long story about the sea.", 150) | {
                "stream": True,
                "ignore_eos": True,
            }
            came: list[float] = []
            async with self._client.stream("POST", self._url, json=asked, headers=self._who(0)) as answer:
                async for line in answer.aiter_lines():
                    if '"content":"' in line:
                        came.append(perf_counter())
                        self.gaps[self._phase] += [came[-1] - came[-2]] if len(came) > 1 else []
                    if line == "data: [DONE]":
                        break
                else:
                    self.broken += 1

    async def _owner(self, number: int, schemas: Sequence[Schema | None]) -> None:
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(schema: Schema | None) -> None:
            async with turns:
                await self._ask(number + 1, schema)

        await asyncio.gather(*(one(schema) for schema in schemas))

    async def _ask(self, owner: int, schema: Schema | None) -> None:
        asked = self._asked("Answer.", TOKENS)
        if schema is not None:
            form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
            asked["response_format"] = form
        begun = perf_counter()
        try:
            # Five a second and owner are taken.
            while (answer := await self._post(asked, owner)).status_code == 429:  # noqa: ASYNC110
                await asyncio.sleep(float(answer.headers.get("Retry-After", 1)))
        except httpx.HTTPError as error:
            self.outcomes[type(error).__name__] += 1
            return
        self.answers_s.append(perf_counter() - begun)
        code = "" if answer.status_code == 200 else f" {answer.json()['error']['code']}"
        self.outcomes[f"{answer.status_code}{code}"] += 1
        if answer.status_code >= 500:
            self.failures.append({"answer": answer.text, "schema": json.dumps(schema)[:1_000]})

    async def _post(self, asked: dict[str, Any], owner: int) -> httpx.Response:
        return await self._client.post(self._url, json=asked, headers=self._who(owner))

    def _asked(self, text: str, tokens: int) -> dict[str, Any]:
        messages = [{"role": "user", "content": text}]
        return {"model": self._model, "messages": messages, "max_tokens": tokens}

    def _who(self, owner: int) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._keys[owner]}"}


def restarts(site: Site) -> float:
    """How often the engine was lost and built again, by the site's own count."""
    figures = httpx.get(f"{site.url}/metrics", trust_env=False).text.splitlines()
    return sum(
        float(line.split()[-1]) for line in figures if line.startswith("chatsite_engine_restarts_total")
    )


def run(full: bool) -> Result:
    """All of it on one site. Raises BenchmarkError."""
    schemas = hostile_schemas(SCHEMAS[full])
    with embedded({"CHATSITE_ENGINE": "vllm", "RATE_LIMIT_PER_MINUTE": "6000"}) as site:
        site.wait("/readyz")
        api_keys = keys.of(site, OWNERS + 1)
        headers = {"Authorization": f"Bearer {api_keys[0]}"}
        models = httpx.get(f"{site.url}/v1/models", headers=headers, trust_env=False).json()
        attack = Attack(site, api_keys, models["data"][0]["id"])
        asyncio.run(attack.run(schemas))
        lost = restarts(site)
    summary = {
        "schemas": float(len(schemas)),
        "served": float(attack.outcomes["200"]),
        "refused": float(sum(n for code, n in attack.outcomes.items() if code.startswith("400"))),
        "gap_max_alone_s": max(attack.gaps["alone"], default=0.0),
        "gap_max_plain_s": max(attack.gaps["plain"], default=0.0),
        "gap_max_attacked_s": max(attack.gaps["attacked"], default=0.0),
        "schema_answer_max_s": max(attack.answers_s, default=0.0),
        "streams_broken": float(attack.broken),
        "engine_restarts": lost,
    }
    return Result(
        name="hostile_schemas",
        engine="real vLLM (SmolLM2-135M)",
        full=full,
        settings={"seed": SEED, "owners": OWNERS, "at_once": AT_ONCE, "streams": STREAMS, "tokens": TOKENS},
        summary=summary,
        columns=("outcome", "requests"),
        rows=sorted(attack.outcomes.items()),
        samples={"failures": attack.failures, "gaps_s": attack.gaps, "answers_s": attack.answers_s},
    )
