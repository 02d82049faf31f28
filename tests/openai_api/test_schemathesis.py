"""schemathesis against a running site: what it makes of the OpenAPI document is answered as that says.

An outside judge beside test_document.py: it sends what the document allows and what it forbids, in body and
path. Bounded and the same in each run; `schemathesis run URL/v1/openapi.json` looks for longer.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from chatsite.openai_api.openapi import openapi_document
from tests.support import site_keys as keys
from tests.support.site import Site
from tests.support.waiting import PATIENCE_S

CALLERS = 40
"""The rate limit is 5 a second and account."""

MAX_TOKENS = 3
"""This is about shapes, not about answers."""

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.allow_header_conformance,
    checks.unsupported_method,
    checks.ignored_auth,
]
"""Not that everything allowed is served: a name that no model has is answered 404."""

SCHEMA = schemathesis.openapi.from_dict(json.loads(json.dumps(openapi_document())))

OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations()]

MODES = [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]


@pytest.fixture(scope="module")
def callers(api_site: Site) -> Iterator[str]:
    return itertools.cycle(keys.of(api_site, CALLERS, 3_000))


def serve(case: schemathesis.Case, model: str) -> None:
    """Name the model that there is, and ask for little."""
    if isinstance(case.body, dict):
        case.body["model"] = model
        if isinstance(case.body.get("max_tokens", 1), int):
            case.body["max_tokens"] = MAX_TOKENS


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_it_answers_as_documented(
    operation: schemathesis.APIOperation,
    mode: schemathesis.GenerationMode,
    api_site: Site,
    callers: Iterator[str],
    model: str,
    data: st.DataObject,
) -> None:
    case = data.draw(operation.as_strategy(generation_mode=mode))
    if mode == schemathesis.GenerationMode.POSITIVE and data.draw(st.booleans()):
        serve(case, model)
    headers = {"Authorization": f"Bearer {next(callers)}"}
    response = case.call(base_url=f"{api_site.url}/v1", headers=headers, timeout=PATIENCE_S)
    case.validate_response(response, checks=CHECKS)
