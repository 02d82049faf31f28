"""The handler of `/v1` on a whole site: the headers and checks that browsers' pages have too, and no more."""

from __future__ import annotations

import httpx
import pytest

from tests.support.site import Site
from tests.support.waiting import PATIENCE_S

SHARED_HEADERS = (
    "content-security-policy", "cross-origin-opener-policy", "referrer-policy", "x-content-type-options",
    "x-frame-options",
)  # fmt: skip


@pytest.fixture
def http(api_site: Site):
    with httpx.Client(base_url=api_site.url, timeout=PATIENCE_S) as client:
        yield client


@pytest.mark.parametrize("path", ["/v1/models", "/v1/nothing", "/v1/openapi.json"])
def test_programs_get_the_headers_that_browsers_get(http: httpx.Client, key: str, path: str):
    page = http.get("/accounts/login/").headers
    program = http.get(path, headers={"Authorization": f"Bearer {key}"}).headers
    without_nonce = {name: page[name].split(" 'nonce-")[0] for name in SHARED_HEADERS}
    assert {name: program[name].split(" 'nonce-")[0] for name in SHARED_HEADERS} == without_nonce
    assert int(program["content-length"]) > 0


def test_no_cookie_is_given_nor_taken(http: httpx.Client, key: str):
    answer = http.get("/v1/models", headers={"Authorization": f"Bearer {key}", "Cookie": "sessionid=x"})
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    assert http.get("/v1/models", headers={"Cookie": "sessionid=x"}).status_code == 401


def test_another_host_is_refused(http: httpx.Client, key: str):
    answer = http.get("/v1/models", headers={"Authorization": f"Bearer {key}", "Host": "elsewhere.example"})
    assert answer.status_code == 400


def test_each_request_has_an_id_of_its_own(http: httpx.Client, key: str):
    ids = {http.get("/v1/models", headers={"Authorization": f"Bearer {key}"}).headers["x-request-id"]
           for _ in range(3)}  # fmt: skip
    assert len(ids) == 3
