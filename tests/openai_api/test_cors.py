"""CORS on `/v1`: pages of the origins that the setting names may ask and read, and no others."""

from __future__ import annotations

import pytest
from django.test import AsyncRequestFactory

from chatsite.environment.parsers import origins_or_all
from chatsite.server.async_handlers import ApiHandler

ALLOWED = ["https://tool.example.org", "https://*.apps.example.org:8443", "http://localhost:3000"]

ASKS = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,x-stainless-os",
}


@pytest.fixture
def handler() -> ApiHandler:
    return ApiHandler()


async def answer(handler: ApiHandler, method: str, origin: str | None, **headers: str):
    sent = {**headers, **({"Origin": origin} if origin else {})}
    request = AsyncRequestFactory().generic(method, "/v1/models", headers=sent)
    return await handler.get_response_async(request)


@pytest.mark.parametrize(
    "origin", ["https://tool.example.org", "https://a.apps.example.org:8443", "http://localhost:3000"]
)
async def test_a_preflight_of_an_allowed_origin(handler: ApiHandler, settings, origin: str) -> None:
    settings.API_ORIGINS = ALLOWED
    response = await answer(handler, "OPTIONS", origin, **ASKS)
    assert response.status_code == 204
    assert response["Access-Control-Allow-Origin"] == origin
    assert response["Access-Control-Allow-Headers"] == "authorization,x-stainless-os"
    assert response["Access-Control-Allow-Methods"] == "GET, POST"
    assert "Access-Control-Allow-Credentials" not in response
    assert "Origin" in response["Vary"]


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "null",
        "https://evil.example",
        "http://tool.example.org",
        "https://tool.example.org.evil.example",
        "https://tool.example.org:444",
        "https://apps.example.org",
        "https://xapps.example.org:8443",
        "https://a.apps.example.org",
    ],
)
async def test_other_origins_are_told_nothing(handler: ApiHandler, settings, origin: str | None) -> None:
    settings.API_ORIGINS = ALLOWED
    for method, headers in (("OPTIONS", ASKS), ("GET", {})):
        response = await answer(handler, method, origin, **headers)
        assert response.status_code in (401, 405)
        assert "Access-Control-Allow-Origin" not in response


async def test_an_error_can_be_read_by_the_page_too(handler: ApiHandler, settings) -> None:
    settings.API_ORIGINS = ["*"]
    response = await answer(handler, "GET", "https://any.example")
    assert response.status_code == 401
    assert response["Access-Control-Allow-Origin"] == "*"
    assert response["Access-Control-Expose-Headers"] == "*"


async def test_without_the_setting_there_is_no_cors(handler: ApiHandler) -> None:
    response = await answer(handler, "OPTIONS", "https://tool.example.org", **ASKS)
    assert response.status_code == 405
    assert "Access-Control-Allow-Origin" not in response


@pytest.mark.parametrize(
    ("value", "found"), [("*", ["*"]), (" https://a.example/ ", ["https://a.example"]), ("", [])]
)
def test_the_setting_names_origins_or_all(value: str, found: list[str]) -> None:
    assert origins_or_all(value) == found
