"""Markdown as safe HTML: parsed without raw HTML, code coloured, then sanitised whatever came out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from html import escape
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

MAX_COLOURED_CHARS = 100_000
"""Of one code block: colouring is the slowest part, and nobody reads colours in a longer one."""

TAGS = {
    "a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p",
    "pre", "s", "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip

ATTRIBUTES = {"a": {"href"}, "ol": {"start"}, **{tag: {"class"} for tag in ("code", "span", "td", "th")}}


def to_html(text: str) -> str:
    """Safe HTML of a Markdown text: no script, no style, no image, nothing that fetches."""
    return nh3.clean(
        parser().render(text),
        tags=TAGS,
        attributes=ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer",
    )


@cache
def parser() -> MarkdownIt:
    """CommonMark with tables and strikethrough, and formulas kept as their source."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    markdown.use(dollarmath_plugin, allow_space=False, allow_digits=False)
    rules = {
        "fence": _fence, "image": _image, "th_open": _cell, "td_open": _cell,
        "math_inline": _formula, "math_block": _formula_block,
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
