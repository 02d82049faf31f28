"""The OpenAPI document against the server: whatever it allows is answered as it says, never with a 5xx."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from chatsite.openai_api.openapi import openapi_document
from tests.support import site_keys as keys
from tests.support.site import Site
from tests.support.waiting import PATIENCE_S

MAX_TOKENS = 3
"""Asked for in every request that is likely to be served: this is about shapes, not about answers."""

CALLERS = 40
"""The rate limit is 5 a second and account."""


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    """For a schema of the document, its references included."""
    return Draft202012Validator({**schema, "components": openapi_document()["components"]})


def documented(method: str, path: str, status: int) -> dict[str, Any]:
    """The answer that the document promises for this status; fails for one that it does not name."""
    responses = openapi_document()["paths"][path][method]["responses"]
    assert str(status) in responses, f"{method} {path} answered {status}, which is not documented"
    return responses[str(status)]["content"]


def conforms(method: str, path: str, response: httpx.Response) -> None:
    content = documented(method, path, response.status_code)
    kind = response.headers["content-type"].partition(";")[0]
    if kind == "text/event-stream":
        chunk, *_ = content[kind]["itemSchema"]["properties"]["data"]["anyOf"]
        check = validator(chunk["contentSchema"])
        events = [line[6:] for line in response.text.splitlines() if line.startswith("data: ")]
        assert events.pop() == "[DONE]"
        for event in events:
            check.validate(json.loads(event))
    else:
        validator(content[kind]["schema"]).validate(response.json())


@pytest.fixture(scope="module")
def callers(api_site: Site) -> Iterator[str]:
    return itertools.cycle(keys.of(api_site, CALLERS, 2_000))


def test_the_document_is_a_valid_schema_and_needs_no_key(api_site: Site) -> None:
    served = httpx.get(f"{api_site.url}/v1/openapi.json", trust_env=False, timeout=PATIENCE_S).json()
    assert served == json.loads(json.dumps(openapi_document()))
    for schema in served["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


text = st.text(max_size=20)
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | text
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)  # fmt: skip

part = st.fixed_dictionaries({"type": st.just("text"), "text": text})

turns = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["system", "developer", "user", "assistant"])},
        optional={
            "content": text | st.none() | st.lists(part),
            "name": text,
        },
    ),
    min_size=1, max_size=4,
)  # fmt: skip

common = {
    "stream": st.booleans() | st.none(),
    "temperature": st.floats(0, 2) | st.none(),
    "top_p": st.floats(0, 1, exclude_min=True),
    "stop": st.none()
    | st.text(min_size=1, max_size=5)
    | st.lists(st.text(min_size=1, max_size=5), max_size=4),
    "seed": st.integers(-(2**63), 2**63 - 1),
    "presence_penalty": st.floats(-2, 2),
    "priority": st.integers(-5, 5),
    "service_tier": st.sampled_from(["auto", "default", "flex"]),
    "n": st.sampled_from([1, None]),
    "user": text,
}


def schema_fields(name: str) -> list[str]:
    return sorted(openapi_document()["components"]["schemas"][name]["properties"])


def wild(schema: str, required: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """A request that is right but for some fields, which hold anything; or anything at all."""
    right = st.fixed_dictionaries({**required, "max_tokens": st.just(MAX_TOKENS)}, optional=common)
    wrong = st.dictionaries(st.sampled_from(schema_fields(schema)) | text, anything, max_size=2)
    return right | st.builds(lambda good, bad: {**good, **bad}, right, wrong) | anything


few = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def post(site: Site, caller: str, path: str, body: object) -> httpx.Response:
    headers = {"Authorization": f"Bearer {caller}"}
    return httpx.post(f"{site.url}/v1{path}", json=body, headers=headers, trust_env=False, timeout=PATIENCE_S)


@few
@given(data=st.data())
def test_chat_answers_as_documented(
    api_site: Site, callers: Iterator[str], model: str, data: st.DataObject
) -> None:
    required = {"model": st.just(model) | text, "messages": turns}
    body = data.draw(wild("ChatRequest", required))
    response = post(api_site, next(callers), "/chat/completions", body)
    assert response.status_code < 500
    conforms("post", "/chat/completions", response)


@few
@given(data=st.data())
def test_completions_answer_as_documented(
    api_site: Site, callers: Iterator[str], model: str, data: st.DataObject
) -> None:
    required = {"model": st.just(model), "prompt": text | st.lists(text, max_size=2)}
    response = post(api_site, next(callers), "/completions", data.draw(wild("CompletionRequest", required)))
    assert response.status_code < 500
    conforms("post", "/completions", response)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"model": "\\ud800"}', b'"x"', b"null"]
)
def test_what_is_no_json_is_a_400(api_site: Site, callers: Iterator[str], body: bytes) -> None:
    headers = {"Authorization": f"Bearer {next(callers)}"}
    response = httpx.post(
        f"{api_site.url}/v1/chat/completions", content=body, headers=headers, trust_env=False
    )
    assert response.status_code == 400
    conforms("post", "/chat/completions", response)


def test_a_body_beyond_the_bound_is_refused(api_site: Site, callers: Iterator[str], model: str) -> None:
    turns = [{"role": "user", "content": "x" * 200_000}] * 25
    response = post(api_site, next(callers), "/chat/completions", {"model": model, "messages": turns})
    assert response.status_code == 413
    conforms("post", "/chat/completions", response)


@pytest.mark.parametrize(
    ("method", "path", "address"),
    [("get", "/models", "/models"), ("get", "/usage", "/usage"), ("get", "/models/{id}", "/models/a%2Fb")],
)
def test_reading_answers_as_documented(
    api_site: Site, callers: Iterator[str], method: str, path: str, address: str
) -> None:
    headers = {"Authorization": f"Bearer {next(callers)}"}
    strange = [
        {},
        {"Authorization": b"Bearer \xff"},
        {"Authorization": b"Basic x"},
        {"Authorization": b"Bearer"},
    ]
    for given_headers in (headers, *strange):
        response = httpx.request(
            method, f"{api_site.url}/v1{address}", headers=given_headers, trust_env=False
        )
        conforms(method, path, response)
    response = httpx.request(
        "put", f"{api_site.url}/v1{address}", headers=headers, trust_env=False, timeout=PATIENCE_S
    )
    assert (response.status_code, response.headers["allow"]) == (405, method.upper())
