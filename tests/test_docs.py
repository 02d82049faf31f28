"""The documentation builds as a site; the index of decisions is whole; the glossary names what exists."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.support.source import ROOT, tracked

DOCS = ROOT / "docs"
TERM = re.compile(r"^\| ([^|]+) \| [^|]+ \| `([^`]+)` \|$", re.M)
HEAD = ("| term | meaning | where |", "|---|---|---|")
HELD = (ROOT / "chatsite", ROOT / "inference", ROOT / "static/chat")
PARTS = ("migrations", "management", "commands", "templatetags", "locale")
"""Folders that Django prescribes: nobody looks for them by a term."""
LARGE_LINES = 100
DECISION = re.compile(r"^\| \[(\d{4})\]\(([\w.-]+)\) \| [^|]+ \| ([^|]+) \| (\d{4}-\d\d-\d\d) \|$", re.M)


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    for page in DOCS.glob("*.md"):
        assert (tmp_path / "site" / f"{page.stem}.html").is_file(), page


def glossary() -> list[tuple[str, str]]:
    """(term, place) of every row."""
    return TERM.findall((DOCS / "glossary.md").read_text(encoding="utf-8"))


def test_every_place_in_the_glossary_exists() -> None:
    assert len(glossary()) > 200
    assert not [place for _, place in glossary() if not (ROOT / place).exists()]


def test_every_row_of_the_glossary_is_a_term_with_one_place() -> None:
    lines = (DOCS / "glossary.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("|") and line not in HEAD]
    assert [row for row in rows if not TERM.fullmatch(row)] == []


def test_the_glossary_has_each_term_and_synonym_once() -> None:
    """Two rows for one word would send a reader to two places."""
    words = [word.strip().lower() for term, _ in glossary() for word in re.split(r"[,()]", term)]
    assert [word for word, count in Counter(words).items() if word and count > 1] == []


def test_the_glossary_names_every_package_and_every_large_module() -> None:
    """A module that a reader may look for has a term. New ones go into the glossary with a sentence each."""
    places = {ROOT / place for _, place in glossary()}
    code = {path for path in tracked(".py", ".js") if set(HELD) & set(path.parents)}
    packages = {path.parent for path in code if path.name == "__init__.py" and path.parent.name not in PARTS}
    assert [
        str(package.relative_to(ROOT))
        for package in sorted(packages)
        if package not in places and not any(package in place.parents for place in places)
    ] == []
    modules = {path for path in code if not set(PARTS) & set(path.parts)}
    large = {path for path in modules if len(path.read_text(encoding="utf-8").splitlines()) >= LARGE_LINES}
    assert len(large) > 100
    assert sorted(str(path.relative_to(ROOT)) for path in large - places) == []


def test_every_decision_is_in_the_index_with_status_and_date() -> None:
    index = (DOCS / "decisions/README.md").read_text(encoding="utf-8")
    listed = {name: (number, status.strip()) for number, name, status, _ in DECISION.findall(index)}
    assert set(listed) == {path.name for path in (DOCS / "decisions").glob("0*.md")}
    for name, (number, status) in listed.items():
        assert name.startswith(number)
        assert re.fullmatch(r"accepted|superseded by \d{4}", status), name


def test_the_changelog_is_short_and_in_its_form() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.split(r"^## ", text, flags=re.M)[1:]
    headings = [version.splitlines()[0] for version in versions]
    assert headings[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", heading) for heading in headings[1:])
    for heading, version in zip(headings, versions, strict=True):
        kinds = set(re.findall(r"^### (.+)$", version, re.M))
        assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}, heading
        assert len(re.findall(r"^- ", version, re.M)) <= 15, heading
