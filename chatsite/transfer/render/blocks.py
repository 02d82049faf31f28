"""Convert Markdown to safe HTML: parsed without raw HTML, code coloured, then sanitised whatever came out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from html import escape
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

from chatsite.transfer.render.block_rules import block_rules
from chatsite.transfer.render.emphasis import emphasis_rules
from chatsite.transfer.render.formulas import formula_rules
from chatsite.transfer.render.inline_rules import inline_rules

MAX_COLOURED_CHARS = 100_000
"""Of one code block: colouring is the slowest part, and nobody reads colours in a longer one."""

MAX_NESTING = 100
"""Quotes and lists inside each other; what stands deeper is left out. The page stops at sixty."""

TAGS = {
    "a", "b", "blockquote", "br", "code", "del", "details", "div", "em", "h1", "h2", "h3", "h4", "h5", "h6",
    "hr", "i", "ins", "kbd", "li", "mark", "ol", "p", "pre", "s", "span", "strong", "sub", "summary", "sup",
    "table", "tbody", "td", "th", "thead", "tr", "u", "ul",
}  # fmt: skip

ATTRIBUTES = {
    "a": {"href"},
    "ol": {"start"},
    **{tag: {"class"} for tag in ("code", "div", "span", "td", "th")},
}


OUTSIDE = re.compile(r"(https?:|mailto:|tel:)", re.IGNORECASE)
"""What a link of an answer may lead to, as on the page."""


def to_html(text: str) -> str:
    """Safe HTML of a Markdown text: no script, no style, no image, nothing that fetches."""
    return nh3.clean(
        parser().render(text),
        tags=TAGS,
        attributes=ATTRIBUTES,
        attribute_filter=lambda tag, name, value: value if name != "href" or OUTSIDE.match(value) else None,
        url_schemes={"http", "https", "mailto", "tel"},
        link_rel="noopener noreferrer",
    )


@cache
def parser() -> MarkdownIt:
    """Markdown as the page reads it (docs/page.md), with formulas kept as their source."""
    markdown = (
        MarkdownIt("commonmark", {"breaks": True, "maxNesting": MAX_NESTING})
        .enable(["table", "strikethrough"])
        .disable("html_block")
    )
    for rules_of in (emphasis_rules, formula_rules, inline_rules, block_rules):
        rules_of(markdown)
    # Addresses stay as they were written. A link that may not be followed keeps its words; cleaning
    # the HTML takes its address.
    markdown.normalizeLink = lambda url: url  # type: ignore[method-assign]
    markdown.validateLink = lambda url: True  # type: ignore[method-assign]
    rules = {
        "fence": _fence, "image": _image, "th_open": _cell, "td_open": _cell,
        "math_inline": _formula, "math_block": _formula_block, "footnote_ref": _footnote_mark,
        "footnote_open": _footnote,
    }  # fmt: skip
    for name, rule in rules.items():
        markdown.add_render_rule(name, rule)
    return markdown


def _fence(self: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    token = tokens[index]
    language = token.info.strip().split(maxsplit=1)[0] if token.info.strip() else ""
    return f"<pre><code>{coloured(token.content, language)}</code></pre>\n"


def coloured(code: str, language: str) -> str:
    """The code as HTML, coloured where its language is known."""
    lexer = _lexer(language) if language and len(code) <= MAX_COLOURED_CHARS else None
    return highlight(code, lexer, _FORMATTER) if lexer else escape(code, quote=False)


_FORMATTER = HtmlFormatter(nowrap=True, classprefix="hl-")


@cache
def _lexer(language: str) -> Lexer | None:
    try:
        return get_lexer_by_name(language.lower(), stripnl=False)
    except ClassNotFound:
        return None


def _image(self: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    """A picture elsewhere would be fetched by whoever opens the document: it becomes a link."""
    address = str(tokens[index].attrs.get("src", ""))
    return f'<a href="{escape(address)}">{escape(tokens[index].content or address)}</a>'


def _cell(self: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    """Alignment as a class: the document allows no inline style."""
    style = str(tokens[index].attrs.get("style", ""))
    side = style.rpartition(":")[2]
    return (
        f'<{tokens[index].tag} class="{side}">' if side in {"right", "center"} else f"<{tokens[index].tag}>"
    )


def _formula(self: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    return f'<code class="formula">{escape(tokens[index].content, quote=False)}</code>'


def _formula_block(self: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    return f'<pre><code class="formula">{escape(tokens[index].content.strip(), quote=False)}</code></pre>\n'


def _footnote_mark(self: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    return f"<sup>{escape(tokens[index].content)}</sup>"


def _footnote(self: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    return f'<div class="footnote"><sup>{escape(tokens[index].meta["words"])}</sup>\n'
