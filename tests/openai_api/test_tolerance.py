"""What programs send that was written for other servers is taken; what cannot be read is named."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest

from chatsite.openai_api.schemas import ChatRequest
from chatsite.openai_api.tolerance import ignored_fields, lone_surrogate, without_nulls
from tests.support import site_keys as keys
from tests.support.site import Site
from tests.support.waiting import PATIENCE_S

HI = {"role": "user", "content": "hi"}

TAKEN: list[tuple[dict[str, Any], str]] = [
    (
        {
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": {"type": "x"}}]}
            ]
        },
        "messages[].content[].cache_control",
    ),
    ({"messages": [HI | {"id": 12, "opts": {"visible": False}}]}, "messages[].id, messages[].opts"),
    (
        {"messages": [HI, {"role": "assistant", "content": "x", "reasoning": "hm"}, HI]},
        "messages[].reasoning",
    ),
    ({"stop": [f"a{number}" for number in range(1, 10)]}, ""),
    ({"max_tokens": 3.0, "seed": 7.0, "n": 1.0, "top_logprobs": None}, ""),
    ({"functions": None, "function_call": None, "prediction": None, "audio": None}, ""),
    ({"stream_options": None, "messages": [HI | {"type": "message", "tool_calls": []}]}, "messages[].type"),
    ({"messages": [HI | {"a\r\nSet-Cookie: b": 1, "é": 2}]}, ""),
]


@pytest.fixture(scope="module")
def callers(api_site: Site) -> Iterator[str]:
    return iter(keys.of(api_site, 20, 5_000))


def post(site: Site, key: str, content: bytes) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    url = f"{site.url}/v1/chat/completions"
    return httpx.post(url, content=content, headers=headers, trust_env=False, timeout=PATIENCE_S)


@pytest.mark.parametrize(("fields", "ignored"), TAKEN, ids=lambda value: str(value)[:40])
def test_bodies_that_clients_send_are_taken(
    api_site: Site, callers: Iterator[str], model: str, fields: dict[str, Any], ignored: str
) -> None:
    body = {"model": model, "messages": [HI], "max_tokens": 3} | fields
    response = post(api_site, next(callers), json.dumps(body).encode())
    assert response.status_code == 200, response.text
    assert response.headers.get("X-Chatsite-Ignored", "") == ignored


@pytest.mark.parametrize("field", ["max_token", "functions"])
def test_an_own_field_that_asks_for_something_is_still_refused_by_name(
    api_site: Site, callers: Iterator[str], model: str, field: str
) -> None:
    body = {"model": model, "messages": [HI], field: 1, "audio": None}
    response = post(api_site, next(callers), json.dumps(body).encode())
    assert (response.status_code, response.json()["error"]["param"]) == (400, field)


@pytest.mark.parametrize(
    ("value", "right"), [(256.0, 256), (256, 256), (2.5e1, 25), (0.5, None), (0.0, None)]
)
def test_whole_numbers_may_be_written_with_a_point(value: float, right: int | None) -> None:
    body = json.dumps({"model": "m", "messages": [HI], "max_tokens": value, "seed": 1.0}).encode()
    if right is None:
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(body, type=ChatRequest)
        return
    found = msgspec.json.decode(body, type=ChatRequest)
    assert (found.max_tokens, type(found.max_tokens), type(found.seed)) == (right, int, int)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (rb'"a\ud83d"', r"\ud83d, at byte 2"),
        (rb'"\udE00x"', r"\udE00, at byte 1"),
        (rb'"\ud83d\ud83d\ude00"', r"\ud83d, at byte 1"),
        (b'"\xed\xa0\x80"', "bytes eda0, at byte 1"),
        (rb'"\ud83d\ude00"', None),
        (rb'"\\ud83d"', None),
        (rb'"\\\ud83d"', r"\ud83d, at byte 3"),
        (rb'"\u0041 \n"', None),
    ],
)
def test_half_a_surrogate_pair_is_found(text: bytes, named: str | None) -> None:
    found = lone_surrogate(text)
    assert (named in found if found and named else found) == (True if named else None)


def test_half_a_surrogate_pair_is_named(api_site: Site, callers: Iterator[str], model: str) -> None:
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "cut \ud83d"}]}).encode()
    error = post(api_site, next(callers), body).json()["error"]
    assert "half of a surrogate pair" in error["message"]
    assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_value")


def request(chance: random.Random) -> dict[str, Any]:
    """A request as this server knows it."""
    turns = [
        {
            "role": chance.choice(["user", "assistant", "system"]),
            "content": chance.choice(["a", "中 文", "😀"]),
        }
        for _ in range(chance.randint(1, 4))
    ]
    for turn in turns:
        if chance.random() < 0.5:
            turn["content"] = [{"type": "text", "text": turn["content"]}]
    known = {
        "model": "m",
        "messages": turns,
        "max_tokens": chance.randint(1, 99),
        "seed": chance.randint(0, 9),
    }
    return known | {"stop": [str(number) for number in range(chance.randint(0, 64))]}


def foreign(body: dict[str, Any], chance: random.Random) -> tuple[dict[str, Any], set[str]]:
    """The same in the dialect of some client, and the names of what means nothing here."""
    other, added = json.loads(json.dumps(body)), set()
    extras = ["id", "cache_control", "reasoning", "metadata", "created_at", "tool_call_id"]
    for turn in other["messages"]:
        if chance.random() < 0.5:
            added.add(f"messages[].{(name := chance.choice(extras))}")
            turn[name] = chance.choice([1, {"a": [None]}, "x", None, [[]]])
        if isinstance(turn["content"], list) and chance.random() < 0.5:
            added.add(f"messages[].content[].{(name := chance.choice(extras))}")
            turn["content"][0][name] = chance.choice([{}, "x", None])
    for name in ("max_tokens", "seed"):
        if chance.random() < 0.5:
            other[name] = float(other[name])
    nulls = chance.sample(["functions", "function_call", "audio", "prediction", "thinking"], 2)
    return other | dict.fromkeys(nulls), added


def check(seeds: range) -> None:
    for seed in seeds:
        chance = random.Random(seed)
        body = request(chance)
        other, added = foreign(body, chance)
        raw = json.dumps(other).encode()
        right = msgspec.json.decode(json.dumps(body), type=ChatRequest)
        assert msgspec.json.decode(without_nulls(raw), type=ChatRequest) == right, f"seed {seed}"
        assert set(ignored_fields(raw)) == added, f"seed {seed}"
        assert lone_surrogate(raw) is None, f"seed {seed}"


def test_a_hundred_generated_requests() -> None:
    check(range(100))


@pytest.mark.proof
def test_two_thousand_generated_requests() -> None:
    check(range(1_000, 3_000))
