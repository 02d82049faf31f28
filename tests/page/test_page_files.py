"""What the page is made of: vendored files as their manifest says, every module preloaded, small enough."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from pathlib import Path

import pytest

from tests.page.driving import FIRST_LOAD_BYTES
from tests.support.source import ROOT

STATIC = ROOT / "static"
MANIFESTS = [STATIC / "vendor/manifest.json", ROOT / "tests/support/vendor/manifest.json"]
LATER = {"lazy", "shared"}
"""Folders of modules that are fetched when they are wanted, or by another page."""

STATIC_TAG = re.compile(r"\{% static '([^']+)' %\}")


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: str(path.parent.relative_to(ROOT)))
def test_vendored_files_are_those_of_the_manifest(manifest: Path) -> None:
    entries = {entry["file"]: entry for entry in json.loads(manifest.read_text())}
    present = {str(p.relative_to(manifest.parent)) for p in manifest.parent.rglob("*") if p.is_file()}
    assert present - {manifest.name} == set(entries)
    for name, entry in entries.items():
        assert hashlib.sha256((manifest.parent / name).read_bytes()).hexdigest() == entry["sha256"], name
        assert entry["licence"], name
        assert entry["version"], name


def test_no_vendored_file_asks_for_a_source_map() -> None:
    for path in (STATIC / "vendor").rglob("*.js"):
        assert b"sourceMappingURL" not in path.read_bytes(), path


def first_load() -> set[str]:
    """Everything that the shell names, but for what it only maps."""
    shell = (ROOT / "templates/chat.html").read_text()
    templates = [shell, *((ROOT / "templates" / name).read_text() for name in ("base.html", "modules.html"))]
    return {name for text in templates for name in STATIC_TAG.findall(text)} - {
        "css/pages.css",
        "icon-192.png",
    }


def test_every_module_is_preloaded_so_that_none_waits_for_another() -> None:
    own = {
        str(path.relative_to(STATIC))
        for path in (STATIC / "chat").rglob("*.js")
        if path.parent.name not in LATER
    }
    assert own <= first_load()


def test_every_named_file_exists() -> None:
    for name in first_load():
        assert (STATIC / name).is_file(), name


def test_the_first_load_is_small() -> None:
    total = sum(len(gzip.compress((STATIC / name).read_bytes(), 9)) for name in first_load())
    assert total <= FIRST_LOAD_BYTES, f"{total} bytes compressed"


def test_no_template_has_inline_script_or_style() -> None:
    for path in (ROOT / "templates").rglob("*.html"):
        text = path.read_text()
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", text), path
        for tag in re.findall(r"<script\b[^>]*>", text):
            assert "src=" in tag or ('type="importmap"' in tag and "csp_nonce" in tag), (path, tag)
