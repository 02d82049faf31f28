"""Where a formula begins and ends in Markdown: the page's rules (static/chat/formulas.js) for markdown-it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline

from chatsite.transfer.render.emphasis import is_word_character

_NAMES = (
    "equation|align|alignat|gather|multline|eqnarray|split|aligned|alignedat|gathered|"
    "d?array|[pbvBV]?matrix|smallmatrix|[dr]?cases|drcases|CD"
)
_ENVIRONMENT = re.compile(rf"\\begin\{{((?:{_NAMES})\*?)\}}")
_OPENING = re.compile(rf" {{0,3}}(\$\$|\\\[|\\begin\{{(?:{_NAMES})\*?\}})")
_DOLLARS = re.compile(r"\$((?:\\.|[^\\$\n])+)\$")
_LETTER = r"[^\W\d_]"
_PROSE = re.compile(
    rf"[\d.,]+(?:[-–~][\d.,]+)?\S{{0,2}}[ ]+{_LETTER}{{2,}}[\s.,;:!?]|[\d.,]+[ ]*[\u4e00-\u9fff]"
    rf"|[^\\{{}}$]*?(?<![^\W\d_])(?<!\\){_LETTER}{{2,}} +{_LETTER}{{2,}}[\s.,;:!?]"
    r"|[^\\{}$]*[，。；：！？、]"
)
"""An amount followed by a word, two words, or Chinese with its punctuation: no formula begins like this."""

NOWHERE = -1
"""A level that no block has."""


@dataclass(frozen=True)
class Formula:
    """TeX and where its marks end; `display`: on lines of its own."""

    tex: str
    end: int
    display: bool


def formula_rules(markdown: MarkdownIt) -> None:
    """Have this parser find formulas: tokens `math_inline` and `math_block` with TeX as their content."""
    markdown.inline.ruler.before("escape", "formula", _inline)
    markdown.block.ruler.after(
        "fence", "formula", _block, {"alt": ["paragraph", "reference", "blockquote", "list"]}
    )


def is_block_of_page(state: StateBlock) -> bool:
    """Whether a block here is one of those that the page cuts an answer into: in no list and no quote.

    `level` in the environment is that of the fold that is parsed; `parentType` cannot tell.
    """
    return bool(state.level == state.env.get("level", 0))


def formula_at(source: str, at: int) -> Formula | None:
    """The formula that begins at this place of an inline text."""
    if source.startswith("$$", at):
        end = source.find("$", at + 2)
        tex = source[at + 2 : end if end >= 0 else len(source)]
        closed = end >= 0 and source.startswith("$$", end) and tex.strip() and not _PROSE.match(tex)
        return Formula(tex.strip(), end + 2, True) if closed else None
    if source[at] == "$":
        return _one_dollar(source, at)
    for opening, closing, display in (("\\(", "\\)", False), ("\\[", "\\]", True)):
        if source.startswith(opening, at):
            end = source.find(closing, at + 2)
            tex = source[at + 2 : end].strip() if end >= 0 else ""
            return Formula(tex, end + 2, display) if tex else None
    if not (begun := _ENVIRONMENT.match(source, at)):
        return None
    closing = f"\\end{{{begun[1]}}}"
    end = source.find(closing, begun.end())
    return Formula(source[at : end + len(closing)], end + len(closing), True) if end >= 0 else None


def _one_dollar(source: str, at: int) -> Formula | None:
    """A dollar beside a letter or digit on its outer side is text, and so it is around prose."""
    if (at and is_word_character(source[at - 1])) or not (found := _DOLLARS.match(source, at)):
        return None
    tex, after = found[1], source[found.end() : found.end() + 1]
    if tex[0].isspace() or tex[-1].isspace() or _PROSE.match(tex) or is_word_character(after):
        return None
    return Formula(tex.strip(), found.end(), False)


def _inline(state: StateInline, silent: bool) -> bool:
    if state.src[state.pos] not in "$\\" or not (found := formula_at(state.src, state.pos)):
        return False
    if found.end > state.posMax:
        return False
    if not silent:
        token = state.push("math_inline", "math", 0)
        token.content, token.meta = found.tex, {"display": found.display}
    state.pos = found.end
    return True


def _block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Formulas that begin a line. What follows them there goes on as a block of its own."""
    if state.is_code_block(start):
        return False
    stop = start + 1
    while stop < end and (state.isEmpty(stop) or state.sCount[stop] >= state.blkIndent):
        stop += 1
    source = state.getLines(start, stop, state.blkIndent, False)
    found = _block_at(state, source, 0)
    if silent or found is None:
        return found is not None
    at = 0
    while found:
        token = state.push("math_block", "math", 0)
        token.content, token.block = found.tex, True
        at = found.end
        found = _block_at(state, source, at)
    line, rest = start + source[:at].count("\n"), source[at:].partition("\n")[0]
    state.line = line + 1
    if rest.strip():
        state.bMarks[line] = state.eMarks[line] - len(rest.lstrip())
        state.tShift[line], state.sCount[line] = 0, state.blkIndent
        state.line = line
        any(rule(state, line, end, False) for rule in state.md.block.ruler.getRules(""))
    return True


def _block_at(state: StateBlock, source: str, at: int) -> Formula | None:
    if not (opening := _OPENING.match(source, at)):
        return None
    if not is_block_of_page(state):
        return formula_at(source, opening.start(1))
    is_prose = _PROSE.match(source[opening.end() :].partition("\n")[0])
    return None if is_prose else _with_its_lines(source, opening)


def _with_its_lines(source: str, opening: re.Match[str]) -> Formula:
    mark = opening[1]
    closing = {"$$": "$$", "\\[": "\\]"}.get(mark, mark.replace("\\begin", "\\end"))
    end = source.find(closing, opening.end())
    after = end + len(closing) if end >= 0 else len(source)
    if mark.startswith("\\begin"):
        return Formula(source[opening.start(1) : after].strip(), after, True)
    return Formula(source[opening.end() : end if end >= 0 else len(source)].strip(), after, True)
