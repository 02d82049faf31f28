"""Emphasis and strikethrough in every script: the page's rules (static/chat/emphasis.js) for markdown-it."""

from __future__ import annotations

import re
import unicodedata

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline.state_inline import Delimiter

CJK = re.compile(
    "[\u1100-\u11ff\u2e80-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef"
    "\U00020000-\U0003ffff\u2014\u2018-\u201d\u2026]"
)
"""Han, kana, Hangul, and the marks that are set as wide as they: the page has the same."""


def emphasis_rules(markdown: MarkdownIt) -> None:
    """Have this parser tell by the page's rules what a run of delimiters may open or close."""
    markdown.inline.ruler.at("strikethrough", _tildes)
    markdown.inline.ruler.at("emphasis", _delimiters)


def is_word_character(character: str) -> bool:
    """A letter or digit of a script that sets blanks between words."""
    return bool(character) and unicodedata.category(character)[0] in "LN" and not CJK.match(character)


def _is_punctuation(character: str) -> bool:
    return bool(character) and unicodedata.category(character)[0] in "PS"


def _may_open_and_close(mark: str, before: str, after: str) -> tuple[bool, bool]:
    def punctuated(character: str) -> bool:
        return _is_punctuation(character) and not CJK.match(character)

    def border(character: str) -> bool:
        return not character.strip() or _is_punctuation(character) or bool(CJK.match(character))

    left = bool(after.strip()) and (not punctuated(after) or border(before))
    right = bool(before.strip()) and (not punctuated(before) or border(after))
    if mark != "_":
        return left, right
    return left and (not right or border(before)), right and (not left or border(after))


def _run(state: StateInline) -> tuple[str, bool, bool]:
    """The run of delimiters here, and whether it may open and close."""
    mark, end = state.src[state.pos], state.pos
    while end < state.posMax and state.src[end] == mark:
        end += 1
    before = state.src[state.pos - 1] if state.pos else ""
    after = state.src[end] if end < state.posMax else ""
    return (state.src[state.pos : end], *_may_open_and_close(mark, before, after))


def _delimiters(state: StateInline, silent: bool) -> bool:
    if silent or state.src[state.pos] not in "*_":
        return False
    run, opens, closes = _run(state)
    for mark in run:
        state.push("text", "", 0).content = mark
        _delimit(state, mark, len(run), opens, closes)
    state.pos += len(run)
    return True


def _tildes(state: StateInline, silent: bool) -> bool:
    """Two of them alone: a single tilde is text, as in `3~5`."""
    if silent or state.src[state.pos] != "~":
        return False
    run, opens, closes = _run(state)
    state.push("text", "", 0).content = run
    if len(run) == 2:
        _delimit(state, "~", 0, opens, closes)
    state.pos += len(run)
    return True


def _delimit(state: StateInline, mark: str, length: int, opens: bool, closes: bool) -> None:
    state.delimiters.append(
        Delimiter(
            marker=ord(mark), length=length, token=len(state.tokens) - 1, end=-1, open=opens, close=closes
        )
    )
