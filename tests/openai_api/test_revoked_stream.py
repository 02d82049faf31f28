"""A key that is revoked in the settings, or expires, ends what it has running; its reader is told."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import openai
import pytest
from openai import OpenAI

from tests.support.site import Site
from tests.support.waiting import PATIENCE_S


@pytest.fixture
def settings_page(api_site: Site) -> Iterator[httpx.Client]:
    """The administrator's browser, as far as the settings need it."""
    with httpx.Client(base_url=api_site.url, trust_env=False, timeout=PATIENCE_S) as browser:
        browser.cookies.set("sessionid", api_site.sign_in().removeprefix("sessionid="))
        browser.get("/")
        browser.headers["X-CSRFToken"] = browser.cookies["csrftoken"]
        yield browser


def test_a_running_stream_ends_with_its_key(api_site: Site, settings_page: httpx.Client, model: str) -> None:
    made = settings_page.post("/api/keys", json={"name": "a script", "scopes": ["chat"]}).json()
    client = OpenAI(base_url=f"{api_site.url}/v1", api_key=made["key"], max_retries=0)
    with client:
        stream = client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": "Go on."}], max_tokens=5_000, stream=True
        )
        next(iter(stream))
        assert settings_page.delete(f"/api/keys/{made['id']}").status_code == 204
        with pytest.raises(openai.APIError) as error:
            list(stream)
        assert error.value.code == "cancelled"
        with pytest.raises(openai.AuthenticationError):
            client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Again."}])


EXPIRE = """
from django.utils import timezone
from chatsite.accounts.models import ApiKey
ApiKey.objects.filter(id="{}").update(expires_at=timezone.now())
"""


def test_a_running_stream_ends_when_its_key_expires(
    api_site: Site, settings_page: httpx.Client, model: str
) -> None:
    made = settings_page.post("/api/keys", json={"name": "a script", "scopes": ["chat"]}).json()
    with OpenAI(base_url=f"{api_site.url}/v1", api_key=made["key"], max_retries=0) as client:
        stream = client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": "Go on."}], max_tokens=5_000, stream=True
        )
        next(iter(stream))
        api_site.manage("shell", "-c", EXPIRE.format(made["id"]))
        with pytest.raises(openai.APIError) as error:
            list(stream)
        assert error.value.code == "cancelled"
        with pytest.raises(openai.AuthenticationError):
            client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Again."}])
