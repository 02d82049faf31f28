"""The READMEs: their links lead somewhere, both languages say the same, their pictures are the demo's."""

from __future__ import annotations

import re

import pytest

from tests.support.source import ROOT, tracked

READMES = {"en": ROOT / "README.md", "zh-hans": ROOT / "README.zh-CN.md"}
LINK = re.compile(r'\]\(([^)#]+)[^)]*\)|(?:src|srcset)="([^"]+)"')
FIGURE = re.compile(r"(?<![\w.])\d+(?:[.–]\d+)?(?: ?%)?")
PICTURES = ROOT / "docs/screenshots"
MAX_ANIMATION_BYTES = 1_500_000
BROKEN_BOLD = re.compile(r"\*\*[^*\n]+[，。：；！？]\*\*\w")
"""CommonMark ends no bold text between a sign and a letter: the page mends that, GitHub does not."""


def text(language: str) -> str:
    return READMES[language].read_text(encoding="utf-8")


def links(language: str) -> set[str]:
    """What it links to in the repository, but for the README in the other language."""
    found = {target or picture for target, picture in LINK.findall(text(language))}
    ours = {link for link in found if not link.startswith("https://")}
    return ours - {path.name for path in READMES.values()}


def figures(language: str) -> list[list[str]]:
    """The figures in each row of its tables."""
    rows = (FIGURE.findall(line) for line in text(language).splitlines() if line.startswith("|"))
    return [row for row in rows if row]


@pytest.mark.parametrize("language", READMES)
def test_every_link_leads_to_a_file(language):
    assert len(links(language)) > 20
    assert not [link for link in links(language) if not (ROOT / link).exists()]


def test_both_languages_link_to_the_same():
    english, chinese = ({link.replace(f"/{one}/", "/") for link in links(one)} for one in READMES)
    assert english == chinese


def test_both_languages_have_the_same_figures():
    assert len(figures("en")) > 10
    assert figures("en") == figures("zh-hans")


@pytest.mark.parametrize("language", READMES)
def test_every_picture_is_shown(language):
    kept = {str(path.relative_to(ROOT)) for path in (PICTURES / language).iterdir()}
    assert kept == {link for link in links(language) if link.startswith("docs/screenshots/")}


def test_no_other_picture_is_kept():
    tracked_pictures = {path for path in tracked(".png", ".gif") if PICTURES in path.parents}
    assert {path.parent.name for path in tracked_pictures} == set(READMES)


@pytest.mark.parametrize("language", READMES)
def test_the_animation_is_small(language):
    assert (PICTURES / language / "queue.gif").stat().st_size < MAX_ANIMATION_BYTES


def test_bold_text_is_bold_on_every_renderer():
    assert BROKEN_BOLD.search("**演示。**SmolLM2")
    assert not BROKEN_BOLD.search(text("zh-hans"))
