"""The page's code as its checks see it; the checks themselves are npm's, and run in `make check`."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.source import ROOT, tracked
from tests.support.waiting import PATIENCE_S

MAX_COLUMNS = 119
"""Prettier's `printWidth`; what it cannot break (a comment, a string) and templates keep to it too."""

KEY = re.compile(r"^  (\w+):", re.MULTILINE)
ASKED = re.compile(r'(?<![\w.])t\(\s*(?:[\w.\s!?=>]+\?\s*)?"(\w+)"(?:\s*:\s*"(\w+)")?')
MADE = re.compile(r"`([a-z_]+_)\$\{")
"""A key that is put together begins so."""

OWN = [path for path in tracked(".js", ".mjs") if "vendor" not in path.parts]

STYLES = [path for path in tracked(".css") if path.is_relative_to(ROOT / "static")]
TEMPLATES = [path for path in tracked(".html") if path.is_relative_to(ROOT / "templates")]


def test_no_line_of_the_page_is_too_long() -> None:
    assert json.loads((ROOT / ".prettierrc.json").read_text())["printWidth"] == MAX_COLUMNS
    assert len(TEMPLATES) > 50
    wrong = [
        f"{path.relative_to(ROOT)}:{number}: {len(line)} characters"
        for path in (*OWN, *STYLES, *TEMPLATES)
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1)
        if len(line) > MAX_COLUMNS
    ]
    assert not wrong, "\n".join(wrong)


def test_every_word_is_used_and_every_word_that_is_asked_for_exists() -> None:
    folder = ROOT / "static/chat/lang/en"
    words = {
        key for name in ("words.js", "lazy/dialogs.js") for key in KEY.findall((folder / name).read_text())
    }
    texts = [
        path.read_text(encoding="utf-8") for path in OWN if "chat" in path.parts and "lang" not in path.parts
    ]
    code = "\n".join(texts)
    asked = {key for pair in ASKED.findall(code) for key in pair if key}
    made = tuple(MADE.findall(code))
    assert len(asked) > 200
    assert not asked - words
    assert not {key for key in words if f'"{key}"' not in code and not key.startswith(made)}


def test_types_come_from_the_vendored_versions() -> None:
    vendored = {
        one["name"]: one["version"] for one in json.loads((ROOT / "static/vendor/manifest.json").read_text())
    }
    checked = json.loads((ROOT / "package.json").read_text())["devDependencies"]
    both = vendored.keys() & checked.keys()
    assert {"preact", "@preact/signals", "htm"} <= both
    assert {name: checked[name] for name in both} == {name: vendored[name] for name in both}


def test_the_lock_names_no_registry() -> None:
    lock = json.loads((ROOT / "package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert packages
    assert not [name for name, entry in packages.items() if "resolved" in entry]
    assert all(entry["integrity"] for entry in packages.values())


@pytest.fixture
def without_npm(tmp_path: Path) -> dict[str, str]:
    """The environment of a machine that has make, a shell and no npm."""
    for name in ("make", "bash", "env"):
        program = shutil.which(name)
        assert program, f"{name} is missing"
        (tmp_path / name).symlink_to(program)
    return {name: value for name, value in os.environ.items() if name not in {"CI", "MAKEFLAGS"}} | {
        "PATH": str(tmp_path)
    }


def make_page(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [shutil.which("make") or "make", "page"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )


def test_without_npm_the_checks_of_the_page_are_left_out_aloud(without_npm: dict[str, str]) -> None:
    result = make_page(without_npm)
    assert result.returncode == 0, result.stderr
    assert "NOT CHECKED" in result.stderr
    assert "npm is missing" in result.stderr


def test_without_npm_ci_fails(without_npm: dict[str, str]) -> None:
    result = make_page(without_npm | {"CI": "true"})
    assert result.returncode != 0
    assert "npm is missing" in result.stderr
