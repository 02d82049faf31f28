"""The page's block rules (static/chat/blocks.js) for markdown-it: definitions, footnotes, folds."""

from __future__ import annotations

import re
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.common.utils import normalizeReference
from markdown_it.rules_block import StateBlock
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from chatsite.transfer.render.formulas import NOWHERE, is_block_of_page

_DEFINITION = re.compile(
    r"\[((?:\\.|[^\\\[\]^])(?:\\.|[^\\\[\]]){0,998})\]:[ \t]*(?:<([^<>]*)>|([^\s<]\S*))"
    r"(?:[ \t]+(?:\"([^\"]*)\"|'([^']*)'|\(([^()]*)\)))?[ \t]*$"
)
_FOOTNOTE = re.compile(r"\[\^([^\]\s\[]+)\]:[ \t]*(.*)$")
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_DETAILS = re.compile(r"<details(?:\s+open(?:=\"[^\"]*\")?)?\s*>[ \t]*", re.IGNORECASE)
_DETAILS_END = re.compile(r"</details\s*>[ \t]*", re.IGNORECASE)
_SUMMARY = re.compile(r"\s*<summary>(.*?)</summary>[ \t]*", re.IGNORECASE | re.DOTALL)
_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})(.*)$")
_BEGINS_BLOCK = re.compile(r" {0,3}(?:#{1,6}(?:\s|$)|[-*+]\s|1[.)]\s|`{3}|~{3}|>)")


MAX_FOLDS = 8
"""Inside each other, as on the page; deeper ones are text."""

MAX_IN_LINE = 50
"""One behind the other in one line; further ones are text."""


class UsedReferences(dict[str, Any]):
    """References of one answer by label, that remember which ones were looked up."""

    def __init__(self) -> None:
        super().__init__()
        self.used: set[str] = set()

    def get(self, label: str, default: Any = None) -> Any:
        self.used.add(label)
        return super().get(label, default)


def block_rules(markdown: MarkdownIt) -> None:
    """Have this parser keep what defines something where it stands, shown where nothing uses it."""
    ruler = markdown.block.ruler
    ruler.at("reference", _definition)
    ruler.before("reference", "footnote", _footnote)
    ruler.before("reference", "details", _details, {"alt": ["paragraph", "blockquote", "list"]})
    markdown.core.ruler.before("block", "references", _begin)
    markdown.core.ruler.after("inline", "unused", _show_unused)


def _begin(state: StateCore) -> None:
    state.env["references"], state.env["footnotes"] = UsedReferences(), UsedReferences()
    state.env["level"] = 0


def _line(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]


def _definition(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    if silent or not is_block_of_page(state) or state.is_code_block(start):
        return False
    if not (found := _DEFINITION.match(_line(state, start))):
        return False
    label, angled, plain, *titles = found.groups()
    known = {"href": _ESCAPED.sub(r"\1", plain if angled is None else angled)}
    known["title"] = next((title for title in titles if title is not None), "")
    token = state.push("definition", "", 0)
    token.hidden, token.content = True, found[0].strip()
    token.meta = _remember(state.env["references"], label, known)
    state.line = start + 1
    return True


def _remember(references: UsedReferences, words: str, known: dict[str, str]) -> dict[str, Any]:
    """What tells later whether this definition was used: the first one of a label counts."""
    label = normalizeReference(words)
    first = references.setdefault(label, known) is known
    return {"references": references, "label": label if first else "", "words": words}


def _footnote(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """A footnote goes on as a paragraph does, and after a blank line where it is indented."""
    if silent or not is_block_of_page(state) or state.is_code_block(start):
        return False
    if not (found := _FOOTNOTE.match(_line(state, start))):
        return False
    raw, words, stop = [found[0]], [found[2]], start + 1
    for stop in range(start + 1, end + 1):
        if stop == end:
            break
        line = state.src[state.bMarks[stop] : state.eMarks[stop]]
        goes_on = line.startswith(("    ", "\t")) if not raw[-1].strip() else not _ends_footnote(line)
        if line.strip() and not goes_on:
            break
        raw.append(line)
        words.append(re.sub(r"^( {1,4}|\t)", "", line))
    token = state.push("footnote_open", "div", 1)
    token.content, token.meta = (
        "\n".join(raw).strip(),
        _remember(state.env["footnotes"], found[1], {"is": "there"}),
    )
    inner: list[Token] = []
    level = state.env.get("level", 0)
    state.env["level"] = NOWHERE
    state.md.block.parse("\n".join(words).strip(), state.md, state.env, inner)
    state.env["level"] = level
    state.tokens += inner
    state.push("footnote_close", "div", -1)
    state.line = stop
    return True


def _ends_footnote(line: str) -> bool:
    return bool(
        _FOOTNOTE.match(line.lstrip(" ")) or _BEGINS_BLOCK.match(line) or _DETAILS.match(line.lstrip(" "))
    )


def _details(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """`<details>` folds all blocks up to its end, or the text's."""
    if not (is_block_of_page(state) or silent) or state.blkIndent or state.is_code_block(start):
        return False
    opening = _DETAILS.match(_line(state, start))
    if opening is None or state.env.get("folds", 0) > MAX_FOLDS or state.env.get("in_line", 0) > MAX_IN_LINE:
        return False
    if silent:
        return True
    state.push("details_open", "details", 1)
    at = state.bMarks[start] + state.tShift[start] + opening.end()
    if summary := _SUMMARY.match(state.src, at):
        state.push("summary_open", "summary", 1)
        token = state.push("inline", "", 0)
        token.content, token.children = summary[1].strip(), []
        state.push("summary_close", "summary", -1)
        at = summary.end()
    first = _begin_line_at(state, start, end, at)
    last, closing = _end_of_fold(state, first, end)
    inside = _inner(state, first, last, closing)
    state.push("details_close", "details", -1)
    state.line = inside
    if inside == start:
        _parse_rest_of_line(state, start, end)
    return True


def _parse_rest_of_line(state: StateBlock, line: int, end: int) -> None:
    """The block that begins behind a fold in its only line: the parser wants each rule to end a line."""
    in_line = state.env.get("in_line", 0)
    state.env["in_line"] = in_line + 1
    for rule in state.md.block.ruler.getRules(""):
        if rule(state, line, end, False):
            break
    state.env["in_line"] = in_line


def _begin_line_at(state: StateBlock, start: int, end: int, at: int) -> int:
    """The line that goes on at this place of the source; what stands before it is gone."""
    line = start
    while line < end - 1 and state.eMarks[line] < at:
        line += 1
    _move(state, line, at)
    return line


def _move(state: StateBlock, line: int, at: int) -> None:
    state.bMarks[line] = min(at, state.eMarks[line])
    rest = state.src[state.bMarks[line] : state.eMarks[line]]
    state.tShift[line] = state.sCount[line] = len(rest) - len(rest.lstrip())


def _end_of_fold(state: StateBlock, first: int, end: int) -> tuple[int, re.Match[str] | None]:
    """The line of the end that belongs to this fold, and the end; ends inside code are text."""
    depth, fence = 0, ""
    for line in range(first, end):
        text = state.src[state.bMarks[line] : state.eMarks[line]]
        if mark := _FENCE.match(text):
            if not fence:
                fence = mark[1]
            elif mark[1].startswith(fence) and not mark[2].strip():
                fence = ""
            continue
        if fence:
            continue
        depth += bool(_DETAILS.match(text.lstrip(" ")))
        if found := _DETAILS_END.search(state.src, state.bMarks[line], state.eMarks[line]):
            if not depth:
                return line, found
            depth -= 1
    return end, None


def _inner(state: StateBlock, first: int, last: int, closing: re.Match[str] | None) -> int:
    """Parse the lines of a fold; returns the line that comes after it."""
    before, end_mark = (state.env.get("level", 0), state.lineMax), state.eMarks[last] if closing else 0
    state.env["level"], state.env["folds"] = state.level, state.env.get("folds", 0) + 1
    if closing:
        state.eMarks[last] = closing.start()
    state.lineMax = last + bool(closing)
    state.md.block.tokenize(state, first, state.lineMax)
    state.env["level"], state.lineMax = before
    state.env["folds"] -= 1
    if not closing:
        return last
    state.eMarks[last] = end_mark
    _move(state, last, closing.end())
    return last if state.src[closing.end() : end_mark].strip() else last + 1


def _show_unused(state: StateCore) -> None:
    """Definitions and footnotes that nothing refers to are text: nothing of an answer is dropped."""
    made: list[Token] = []
    skipping = False
    for token in state.tokens:
        defines = token.type in ("definition", "footnote_open")
        unused = defines and token.meta["label"] not in token.meta["references"].used
        if token.type == "footnote_open" and unused:
            skipping = True
        if unused:
            made += _as_text(state, token.content)
        elif not skipping and token.type != "definition":
            made.append(token)
        if token.type == "footnote_close":
            skipping = False
    state.tokens = made


def _as_text(state: StateCore, raw: str) -> list[Token]:
    tokens: list[Token] = []
    state.md.block.parse(raw.replace("[", "&#91;", 1), state.md, state.env, tokens)
    for token in tokens:
        if token.type == "inline":
            token.children = []
            state.md.inline.parse(token.content, state.md, state.env, token.children)
    return tokens
