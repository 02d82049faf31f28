"""The demonstration site: what its people ask and what the scripted model answers, in two languages."""

from __future__ import annotations

import re
import unicodedata

import pytest

from bench.demo import LANGUAGES, read_demo
from bench.demo.scripted_model import TOKEN, events
from bench.demo.seed import seed
from chatsite.accounts.models import Role, User
from chatsite.conversations.search import search
from tests.support.source import ROOT

READMES = {"en": ROOT / "README.md", "zh-hans": ROOT / "README.zh-CN.md"}
LINK = re.compile(r'\]\(([^)#]+)[^)]*\)|(?:src|srcset)="([^"]+)"')
FIGURE = re.compile(r"(?<![\w.])\d+(?:[.–]\d+)?(?: ?%)?")
PICTURES = ROOT / "docs/screenshots"
MAX_ANIMATION_BYTES = 1_500_000
BROKEN_BOLD = re.compile(r"\*\*[^*\n]+[，。：；！？]\*\*\w")
"""CommonMark ends no bold text between a sign and a letter: the page mends that, GitHub does not."""


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_scripted_model_says_what_is_written(language):
    for _, answer in read_demo(language).exchanges():
        assert "".join(TOKEN.findall(answer)) == answer
        assert list(events(answer))[-1] == "[DONE]"


def test_the_demo_is_the_same_site_in_each_language():
    shapes = []
    for language in LANGUAGES:
        demo = read_demo(language)
        shown = [(one.hours_ago, one.pinned, bool(one.folder), one.shown) for one in demo.conversations]
        shapes.append((len(demo.colleagues), shown))
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_demo_has_no_emoji(language):
    demo = (ROOT / f"bench/demo/{language}.toml").read_text(encoding="utf-8")
    assert not {sign for sign in demo if unicodedata.category(sign) == "So"}


@pytest.mark.django_db
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_demo_fills_a_site(language):
    demo = read_demo(language)
    cookies = seed(demo)
    owner = User.objects.get(email=demo.owner.email)
    assert len(set(cookies)) == 1 + len(demo.colleagues)
    assert owner.role == Role.OWNER
    assert owner.conversations.count() == len(demo.conversations)
    assert len(search(owner.pk, demo.search)[0]) > 1
