"""The terms by which text is found, and the place where a query stands in a text. Pure.

The idea: scripts written without spaces (Chinese, Japanese, Thai …) are cut into pairs of neighbouring
characters, each pair beginning at every character, and the last character alone: a word of two
characters is one term, a single character is the beginning of one. All other scripts are cut into
words, found by their beginning. No dictionary, no language to detect; what the terms let through by
chance is sorted out by looking into the text (`matches`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from unicodedata import east_asian_width

from chatsite.conversations.markup import strip_markup

MAX_TERM_CHARS = 40
"""Longer words are hashes and addresses: found by their beginning."""

MAX_TERMS = 24
"""Terms of one query; more would not find less."""

BEFORE_COLUMNS, EXCERPT_CHARS = 30, 160
"""Before the first hit, less than a line of the sidebar (Chinese takes two columns); characters in all."""

MAX_MARKS = 6
"""Hits marked in one excerpt."""

_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
_RUN = re.compile(f"(?P<pairs>[{_UNSPACED}]+)|(?P<word>[^\\W_{_UNSPACED}]+)")

_HALF_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
"""Full-width forms, as Chinese input methods make them, to their ASCII twins."""


def fold_text(text: str) -> str:
    """The text as it is compared: small letters, half-width forms. As long as the text itself."""
    folded = text.translate(_HALF_WIDTH).lower()
    if len(folded) == len(text):
        return folded
    return "".join(small if len(small := mark.lower()) == 1 else mark for mark in text.translate(_HALF_WIDTH))


def terms_in(text: str) -> set[str]:
    """Every term under which this text is found."""
    terms: set[str] = set()
    for run in _RUN.finditer(fold_text(text)):
        if word := run["word"]:
            terms.add(word[:MAX_TERM_CHARS])
        else:
            characters = run["pairs"]
            terms.update(characters[at : at + 2] for at in range(len(characters)))
    return terms


@dataclass(frozen=True)
class SearchQuery:
    """What is looked for: `words` all stand in a text that matches, as they are; `exact` and `prefixes`
    are the terms that such a text has, or has one that begins so.
    """

    words: tuple[str, ...]
    exact: tuple[str, ...]
    prefixes: tuple[str, ...]

    def matches(self, folded: str) -> bool:
        return all(word in folded for word in self.words)


def parse_query(text: str) -> SearchQuery | None:
    """A query of words between blanks; None where nothing in it could be found."""
    words, exact, prefixes = [], dict[str, None](), dict[str, None]()
    for word in fold_text(text).split():
        runs = list(_RUN.finditer(word))
        if not runs:
            continue
        words.append(word)
        for run in runs:
            characters = run["pairs"] or ""
            if run["word"]:
                prefixes[run["word"][:MAX_TERM_CHARS]] = None
            elif len(characters) == 1:
                prefixes[characters] = None
            else:
                exact.update(dict.fromkeys(characters[at : at + 2] for at in range(len(characters) - 1)))
    if not words:
        return None
    kept = list(exact)[:MAX_TERMS]
    return SearchQuery(tuple(words), tuple(kept), tuple(list(prefixes)[: MAX_TERMS - len(kept)]))


def excerpt(
    text: str,
    query: SearchQuery,
    *,
    folded: str | None = None,
    markdown: bool = False,
    cut: tuple[bool, bool] = (False, False),
) -> list[str]:
    """The text around the first hit on one line: plain and hit parts in turn, beginning with plain.

    Of Markdown the plain parts leave out the signs; a hit stands as it is written. `folded` is the text's
    `fold_text` where it is known; `cut`: whether more of the text stood before it, and behind it.
    """
    folded = fold_text(text) if folded is None else folded
    first = min((at for word in query.words if (at := folded.find(word)) >= 0), default=0)
    start = _before(text, first)
    if start:
        start = _word_start(text, start, first)
    window, folded_window = text[start : start + EXCERPT_CHARS], folded[start : start + EXCERPT_CHARS]
    plain = strip_markup(text, start, start + len(window)) if markdown else window
    parts, end = [], 0
    for begin, stop in _marks(folded_window, query.words):
        parts += [_line("".join(plain[end:begin])), _line(window[begin:stop])]
        end = stop
    parts.append(_line("".join(plain[end:])))
    parts[0] = ("…" if start or cut[0] else "") + parts[0].lstrip()
    if start + EXCERPT_CHARS < len(text) or cut[1]:
        parts[-1] = parts[-1].rstrip() + "…"
    return parts


def _before(text: str, first: int) -> int:
    """Where the columns before the hit begin."""
    start, columns = first, 0
    while start and columns < BEFORE_COLUMNS:
        start -= 1
        columns += 2 if east_asian_width(text[start]) in "WF" else 1
    return start


def _marks(folded: str, words: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    longest_first = sorted(set(words), key=len, reverse=True)
    found = re.finditer("|".join(map(re.escape, longest_first)), folded)
    for _, hit in zip(range(MAX_MARKS), found, strict=False):
        yield hit.span()


def _word_start(text: str, start: int, first: int) -> int:
    """An excerpt begins with a whole word where one begins before the hit."""
    blank = text.find(" ", start, first)
    return blank + 1 if blank >= 0 else start


def _line(text: str) -> str:
    return re.sub(r"\s+", " ", text)
