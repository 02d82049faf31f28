"""The page's inline rules (static/chat/inline.js) for markdown-it: addresses, footnotes, plain tags, mail."""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.common.utils import normalizeReference
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from chatsite.transfer.render.emphasis import is_word_character

_TEXT = re.compile(r"(?:(?!https?://|www\.)[^\n!$&*<\[\\\]_`~])+", re.IGNORECASE)
_HOST = re.compile(r"(?:https?://|www\.)[^\W_]", re.IGNORECASE)
_REST = (
    r"(?:(?!\*\*|~~)[^\s<>`\"\[\]\\\u2014\u2018-\u201d\u2026\u3000-\u303f\uff01-\uff0f\uff1a-\uff20"
    r"\uff3b-\uff40\uff5b-\uff65])+"
)
_ADDRESS = re.compile(
    rf"(?:https?://|www\.)(?:[A-Za-z0-9_.@:%-]+(?:(?=[/?#]){_REST})?|{_REST})", re.IGNORECASE
)
_SCHEMELESS = re.compile(r"www\.[^/?#]*\.[^\d./?#][^./?#]*(?:[/?#]|$)", re.IGNORECASE)
_AROUND = re.compile(r"(?:[?!.,:;*_~'$|]+|&[a-z\d]+;)$", re.IGNORECASE)
_AUTOLINK = re.compile(r"<([a-z][a-z0-9+.-]{1,31}:[^\s<>]*)>", re.IGNORECASE)
_MAIL_LINK = re.compile(r"<([\w.!#$%&'*+/=?^`{|}~-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)+)>", re.IGNORECASE | re.ASCII)
_MAIL = re.compile(
    r"(?<![\w.+-])[\w.+-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}(?![\w-])", re.IGNORECASE | re.ASCII
)
_FOOTNOTE = re.compile(r"\[\^([^\]\s\[]+)\]")
_TAG = re.compile(
    r"<(?:/?[a-z][a-z0-9-]*(?:\s+[a-z_:][\w.:-]*(?:\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s\"'=<>`]+))?)*\s*/?>|!--(?:>|->))",
    re.IGNORECASE | re.ASCII,
)
_PLAIN_TAG = re.compile(r"<(/?)(b|br|del|em|i|ins|kbd|mark|s|strong|sub|sup|u)\s*/?>$", re.IGNORECASE)
_TASK = re.compile(r"\[([ xX])\][ \t]+(?=\S)")


def inline_rules(markdown: MarkdownIt) -> None:
    """Have this parser find within a line what the page finds there."""
    ruler = markdown.inline.ruler
    ruler.at("text", _text)
    ruler.after("text", "address", _address)
    ruler.before("link", "footnote", _footnote)
    ruler.at("autolink", _autolink)
    ruler.at("html_inline", _tag)
    markdown.core.ruler.before("inline", "tasks", _tasks)
    markdown.core.ruler.push("mail", _mail)


def _text(state: StateInline, silent: bool) -> bool:
    found = _TEXT.match(state.src, state.pos, state.posMax)
    if found and not silent:
        state.append_pending(found[0])
    state.pos = found.end() if found else state.pos
    return found is not None


def _address(state: StateInline, silent: bool) -> bool:
    """A bare address; within a link's words it is text."""
    before = state.src[state.pos - 1] if state.pos else ""
    if not _HOST.match(state.src, state.pos, state.posMax) or is_word_character(before):
        return False
    found = _ADDRESS.match(state.src, state.pos, state.posMax)
    words = _trimmed(found[0]) if found else ""
    schemeless = words[:4].lower() == "www."
    if not words or (schemeless and not _SCHEMELESS.match(words)):
        return False
    _link(state, f"http://{words}" if schemeless else words, words, silent)
    state.pos += len(words)
    return True


def _trimmed(address: str) -> str:
    """Without the punctuation of the sentence around it."""
    while True:
        shorter = _AROUND.sub("", address)
        if shorter.endswith(")") and shorter.count(")") > shorter.count("("):
            shorter = shorter[:-1]
        if shorter == address:
            return address
        address = shorter


def _link(state: StateInline, href: str, words: str, silent: bool) -> None:
    if silent:
        return
    if not state.linkLevel:
        state.push("link_open", "a", 1).attrs = {"href": href}
    state.push("text", "", 0).content = words
    if not state.linkLevel:
        state.push("link_close", "a", -1)


def _autolink(state: StateInline, silent: bool) -> bool:
    if found := _AUTOLINK.match(state.src, state.pos, state.posMax):
        _link(state, found[1], found[1], silent)
    elif found := _MAIL_LINK.match(state.src, state.pos, state.posMax):
        _link(state, f"mailto:{found[1]}", found[1], silent)
    else:
        return False
    state.pos = found.end()
    return True


def _footnote(state: StateInline, silent: bool) -> bool:
    found = _FOOTNOTE.match(state.src, state.pos, state.posMax)
    if not found or not state.env["footnotes"].get(normalizeReference(found[1])):
        return False
    if not silent:
        state.push("footnote_ref", "sup", 0).content = found[1]
    state.pos = found.end()
    return True


def _tag(state: StateInline, silent: bool) -> bool:
    """A tag is text, but for plain marks that Markdown has no other way to write."""
    if found := _TAG.match(state.src, state.pos, state.posMax):
        end = found.end()
    elif state.src.startswith("<!--", state.pos):
        end = state.src.find("-->", state.pos, state.posMax) + 3
        if end < 3:
            return False
    else:
        return False
    raw = state.src[state.pos : end]
    if not silent:
        plain = _PLAIN_TAG.match(raw)
        token = state.push("html_inline" if plain else "text", plain[2].lower() if plain else "", 0)
        token.content = f"<{plain[1]}{plain[2].lower()}>" if plain else raw
    state.pos = end
    return True


def _tasks(state: StateCore) -> None:
    """A task's box, as a character."""
    for item, paragraph, inline in zip(state.tokens, state.tokens[1:], state.tokens[2:], strict=False):
        if (item.type, paragraph.type, inline.type) == ("list_item_open", "paragraph_open", "inline"):
            inline.content = (
                _TASK.sub(_box, inline.content, count=1) if _TASK.match(inline.content) else inline.content
            )


def _box(found: re.Match[str]) -> str:
    return "\u2610 " if found[1] == " " else "\u2611 "


def _mail(state: StateCore) -> None:
    """Addresses of mail as links."""
    for token in state.tokens:
        if token.type == "inline" and token.children and "@" in token.content:
            token.children = _with_mail(token.children)


def _with_mail(children: list[Token]) -> list[Token]:
    made: list[Token] = []
    links = 0
    for token in children:
        links += {"link_open": 1, "link_close": -1}.get(token.type, 0)
        if token.type != "text" or links:
            made.append(token)
            continue
        at = 0
        for found in _MAIL.finditer(token.content):
            made += [_word(token.content[at : found.start()]), Token("link_open", "a", 1)]
            made[-1].attrs = {"href": f"mailto:{found[0]}"}
            made += [_word(found[0]), Token("link_close", "a", -1)]
            at = found.end()
        made.append(_word(token.content[at:]))
    return made


def _word(content: str) -> Token:
    token = Token("text", "", 0)
    token.content = content
    return token
