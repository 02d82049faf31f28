"""The examples of docs/api.md do what they say, as they stand there."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import httpx
import pytest

from tests.openai_api.javascript import run, run_module, run_suite
from tests.support.site import Site
from tests.support.source import ROOT
from tests.support.waiting import PATIENCE_S

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples(language: str) -> list[str]:
    return [
        code
        for kind, code in BLOCK.findall((ROOT / "docs/api.md").read_text(encoding="utf-8"))
        if kind == language
    ]


def test_curl(api_site: Site, key: str) -> None:
    (code,) = examples("sh")
    lines = run(api_site, key, "bash", "-euo", "pipefail", "-c", code).splitlines()
    assert lines[-2] == "data: [DONE]"
    assert len(lines) > 50


def test_python(api_site: Site, key: str) -> None:
    (code,) = examples("python")
    *text, tokens = run(api_site, key, sys.executable, "-c", code).splitlines()
    assert tokens == "60 tokens"
    assert text


@pytest.mark.node
def test_javascript_without_a_package(api_site: Site, key: str, tmp_path: Path) -> None:
    code = next(code for code in examples("js") if "import" not in code)
    (tmp_path / "example.mjs").write_text(code, encoding="utf-8")
    assert run(api_site, key, "node", str(tmp_path / "example.mjs")).strip()


@pytest.mark.openai_js
def test_javascript_with_the_official_client(api_site: Site, key: str) -> None:
    code = next(code for code in examples("js") if "import" in code)
    assert run_module(api_site, key, code).strip()


@pytest.mark.openai_js
def test_the_contract_by_the_official_javascript_client(api_site: Site, key: str, model: str) -> None:
    assert "promises" in run_suite(api_site, key, model)


def test_the_document_is_a_page_for_people_who_signed_in(api_site: Site) -> None:
    with httpx.Client(base_url=api_site.url, trust_env=False, timeout=PATIENCE_S) as client:
        assert client.get("/docs/api").headers["location"].startswith("/accounts/login/")
        page = client.get("/docs/api", headers={"Cookie": api_site.sign_in()})
    assert page.status_code == 200
    assert f"OPENAI_BASE_URL={api_site.url}/v1" in page.text
