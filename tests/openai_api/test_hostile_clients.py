"""Clients that send what no client should: each is told so with a 4xx or dropped, and the site goes on."""

from __future__ import annotations

import gzip
import itertools
import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from chatsite.openai_api.errors import ApiError
from chatsite.openai_api.request_mapping import MAX_SCHEMA_BYTES, MAX_SCHEMA_DEPTH, chat_sampling
from chatsite.openai_api.schemas import ChatRequest, ChatTurn, JsonSchema, JsonSchemaFormat
from inference.engines.base import EngineInfo
from inference.status import InferenceStatus
from tests.support import site_keys as keys
from tests.support.site import HOST, Site
from tests.support.waiting import PATIENCE_S

CALLERS = 20
"""The rate limit is 5 a second and account."""

DEEP = 50_000


@pytest.fixture(scope="module")
def callers(api_site: Site) -> Iterator[str]:
    return itertools.cycle(keys.of(api_site, CALLERS, 4_000))


def asked(model: str, **fields: object) -> bytes:
    messages = [{"role": "user", "content": "x"}]
    return json.dumps({"model": model, "messages": messages, "max_tokens": 2, **fields}).encode()


def with_field(body: bytes, name: str, raw: bytes) -> bytes:
    """The JSON object with one more field, as it is written there."""
    return body[:-1] + b',"' + name.encode() + b'":' + raw + b"}"


def head(caller: str, length: int) -> bytes:
    return (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {caller}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def post(site: Site, caller: str, body: bytes, **headers: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {caller}", **headers}
    return httpx.post(
        f"{site.url}/v1/chat/completions", content=body, headers=headers, trust_env=False, timeout=PATIENCE_S
    )


def answers(site: Site, caller: str, model: str) -> bool:
    return post(site, caller, asked(model)).status_code == 200


LISTS, OBJECTS = b"[" * DEEP + b"]" * DEEP, b'{"a":' * DEEP + b"1" + b"}" * DEEP


@pytest.mark.parametrize(
    ("field", "raw"),
    [
        ("tools", LISTS),
        ("tool_choice", OBJECTS),
        ("metadata", OBJECTS),
        ("response_format", b'{"type":"json_schema","json_schema":{"name":"x","schema":' + OBJECTS + b"}}"),
        ("temperature", b"NaN"),
        ("temperature", b"1e999"),
        ("seed", b"9" * 5_000),
        ("n", b"1.5"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_deep_and_endless_values(
    api_site: Site, callers: Iterator[str], model: str, field: str, raw: bytes
) -> None:
    response = post(api_site, next(callers), with_field(asked(model), field, raw))
    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda body: body.decode().encode("utf-16"),
        lambda body: b"\xef\xbb\xbf" + body,
        lambda body: body.replace(b'"x"', b'"\xe9"'),
        lambda body: body.replace(b'"x"', b'"\\ud800"'),
        gzip.compress,
    ],
    ids=["utf-16", "byte order mark", "latin-1", "half a surrogate", "gzip"],
)
def test_wrong_encodings(api_site: Site, callers: Iterator[str], model: str, spoil: Any) -> None:
    response = post(api_site, next(callers), spoil(asked(model)))
    assert response.status_code == 400
    assert response.json()["error"]["message"]


def test_thousands_of_messages(api_site: Site, callers: Iterator[str], model: str) -> None:
    turns = [{"role": "user", "content": "hi"}] * 2_001
    assert post(api_site, next(callers), asked(model, messages=turns[:2_000])).status_code == 200
    refused = post(api_site, next(callers), asked(model, messages=turns))
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "messages")


def highest_mb(pid: int) -> float:
    """The most memory that the process had at once."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1_000  # type: ignore[index]


def test_a_huge_body_is_refused_and_not_kept(api_site: Site, callers: Iterator[str], model: str) -> None:
    """Twenty times the bound goes through a file, not through memory: not even for a moment."""
    (process,) = api_site.children
    Path(f"/proc/{process.pid}/clear_refs").write_text("5")  # the highest so far is the present
    before = highest_mb(process.pid)
    assert post(api_site, next(callers), b"x" * 80_000_000).status_code == 413
    assert highest_mb(process.pid) - before < 40
    assert answers(api_site, next(callers), model)


def test_requests_one_behind_the_other_on_one_connection(
    api_site: Site, callers: Iterator[str], model: str
) -> None:
    """Pipelined: answered in order, a stream in between included."""
    bodies = [asked(model), asked(model, stream=True), asked("no-such-model")]
    sent = b"".join(head(next(callers), len(body)) + body for body in bodies)
    with socket.create_connection((HOST, api_site.port), timeout=PATIENCE_S) as connection:
        connection.sendall(sent)
        received = b""
        while b"model_not_found" not in received:
            received += connection.recv(65_536)
    assert re.findall(rb"HTTP/1\.1 (\d+)", received) == [b"200", b"200", b"404"]
    assert received.count(b"data: [DONE]") == 1


def test_uploads_that_stop_in_the_middle(api_site: Site, callers: Iterator[str], model: str) -> None:
    """Fifty bodies that never come to their end; half of their senders leave, the others are silent."""
    body = asked(model)
    silent = [socket.create_connection((HOST, api_site.port), timeout=PATIENCE_S) for _ in range(50)]
    try:
        for number, connection in enumerate(silent):
            connection.sendall(head(next(callers), len(body)) + body[: len(body) // 2])
            if number % 2:
                connection.close()
        assert all(answers(api_site, next(callers), model) for _ in range(3))
    finally:
        for connection in silent:
            connection.close()


def test_a_body_that_drips_is_served_when_it_is_whole(
    api_site: Site, callers: Iterator[str], model: str
) -> None:
    body = asked(model)
    with socket.create_connection((HOST, api_site.port), timeout=PATIENCE_S) as connection:
        connection.sendall(head(next(callers), len(body)))
        for start in range(0, len(body), 10):
            connection.sendall(body[start : start + 10])
            time.sleep(0.005)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200")


def sampling_for(schema: dict[str, Any]) -> object:
    form = JsonSchemaFormat(JsonSchema("x", schema))
    request = ChatRequest(model="m", messages=[ChatTurn("user", "x")], response_format=form)
    info = EngineInfo(engine="vllm", model="m", context_tokens=1, kv_tokens=1, max_running=1, structured=True)
    return chat_sampling(request, InferenceStatus(at=0, state="ready", info=info))


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(levels):
        schema = {"a": schema}
    return schema


def test_a_schema_is_bounded_before_an_engine_compiles_it() -> None:
    assert sampling_for(nested(MAX_SCHEMA_DEPTH - 1))
    with pytest.raises(ApiError, match="deeper"):
        sampling_for(nested(MAX_SCHEMA_DEPTH + 1))
    with pytest.raises(ApiError, match="larger"):
        sampling_for({"enum": ["x" * MAX_SCHEMA_BYTES]})
    with pytest.raises(ApiError, match="64 bits"):
        sampling_for({"type": "integer", "maximum": 2**64})


@pytest.mark.parametrize(
    ("schema", "keyword"),
    [
        ({"$ref": "#"}, "$ref"),
        ({"properties": {"a": {"type": "string", "pattern": "^" + r"\w{1,1000}" * 500 + "$"}}}, "pattern"),
        ({"type": "array", "items": {"type": "array", "minItems": 10**6}}, "minItems"),
        ({"enum": list(range(6_000))}, "enum"),
    ],
)
def test_a_schema_that_costs_too_much_is_refused_by_its_keyword(schema: dict[str, Any], keyword: str) -> None:
    with pytest.raises(ApiError) as error:
        sampling_for(schema)
    detail = error.value.detail
    assert (error.value.status, detail.code, detail.param) == (400, "invalid_value", "response_format")
    assert f"'{keyword}' at #" in detail.message


@pytest.mark.parametrize(
    "field", ["guided_json", "guided_regex", "guided_choice", "guided_grammar", "structured_outputs"]
)
def test_other_ways_to_a_grammar_are_no_fields_here(
    api_site: Site, callers: Iterator[str], model: str, field: str
) -> None:
    """vLLM's own fields for regular expressions, choices and grammars: schemas are the one way in."""
    refused = post(api_site, next(callers), asked(model, **{field: r"\w{1,1000}"}))
    assert refused.status_code == 400
    assert field in refused.text
