"""HTML: the text that a reader would see, with headings, lists and tables as Markdown."""

from __future__ import annotations

import codecs
import re
from html.parser import HTMLParser

from chatsite.attachments.reading.markdown_table import Block, SpannedRows, join_blocks

HEAD_CHARS = 4_096
"""Browsers look for an encoding in the first 1,024 bytes; some editors write more before it."""

DOCUMENT = re.compile(
    r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.I | re.S
)
"""How a page begins. A fragment may be code that somebody asks about, and stays as it is."""

CHARSET = re.compile(
    r"<meta[^>]+charset\s*=\s*[\"']?\s*([\w.:-]+)|<\?xml[^>]+encoding\s*=\s*[\"']([\w.:-]+)", re.I
)

LABELS = {"gb2312": "gb18030", "gbk": "gb18030", "big5": "cp950", "shift_jis": "cp932", "euc-kr": "cp949"}
LABELS |= dict.fromkeys(("iso-8859-1", "latin1", "us-ascii", "ascii"), "cp1252") | {"ks_c_5601-1987": "cp949"}
"""What browsers take these names for (encoding.spec.whatwg.org)."""

UNSEEN = frozenset({"script", "style", "template", "object", "iframe", "rp", "datalist", "svg"})
BLOCKS = {
    "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dialog",
    "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4",
    "h5", "h6", "header", "hr", "html", "legend", "li", "main", "nav", "ol", "option", "p", "pre",
    "search", "section", "select", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "title",
    "tr", "ul",
}  # fmt: skip
HEADINGS = {f"h{level}": "#" * level + " " for level in range(1, 7)}


def is_html(text: str) -> bool:
    """Whether this text is an HTML document."""
    return DOCUMENT.match(text[:HEAD_CHARS]) is not None


def declared_encoding(data: bytes) -> str | None:
    """The codec that an HTML file names for itself; None where it is none, or names none that there is."""
    head = data[:HEAD_CHARS].decode("latin-1")
    found = CHARSET.search(head) if is_html(head) else None
    if not found:
        return None
    label = (found[1] or found[2]).lower()
    # What says in ASCII that it were UTF-16 is not.
    if label.startswith(("utf-16", "utf-32")):
        return None
    try:
        codec = codecs.lookup(LABELS.get(label, label)).name
        "".encode(codec)  # hex and the like are no encodings
    except LookupError:
        return None
    return codec


def html_text(source: str) -> str:
    """The words of a page in their order."""
    reader = _PageText()
    reader.feed(source)
    reader.close()
    return reader.finish()


class _OpenTable:
    """One that is being read: the blocks before it, and the spans of its open cell, by columns and rows."""

    def __init__(self, before: list[Block]) -> None:
        self.rows = SpannedRows()
        self.before = before
        self.cell: tuple[int, int] | None = None


class _PageText(HTMLParser):
    """Collects blocks. Tags that nobody closed end with what contains them, where that matters."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[Block] = []
        self.words: list[str] = []
        self.prefix = ""
        self.unseen: list[str] = []
        self.lists: list[int | None] = []
        """Of each open list the number of its last item; None where it has bullets."""
        self.tables: list[_OpenTable] = []
        self.literal = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self.unseen or tag in UNSEEN:
            if tag in UNSEEN:
                self.unseen.append(tag)
            return
        if tag in BLOCKS:
            self._end_block()
        attributes = dict(attrs)
        match tag:
            case "br":
                self.words.append("\n")
            case "img":
                self.words.append(attributes.get("alt") or "")
            case "rt":
                self.words.append("(")
            case "title":
                self.prefix = "# "
            case "pre":
                self.literal = True
            case "ul":
                self.lists.append(None)
            case "ol":
                self.lists.append(_number(attributes.get("start"), 1) - 1)
            case "li":
                self._begin_item()
            case "table":
                self.tables.append(_OpenTable(self.blocks))
                self.blocks = []
            case "tr" if self.tables:
                self._end_cell()
                self.tables[-1].rows.begin_row()
            case "td" | "th" if self.tables:
                self._end_cell()
                spans = _number(attributes.get("colspan"), 1), _number(attributes.get("rowspan"), 1)
                self.tables[-1].cell = spans
            case _:
                self.prefix = HEADINGS.get(tag, self.prefix)

    def handle_endtag(self, tag: str) -> None:
        if self.unseen:
            if tag == self.unseen[-1]:
                self.unseen.pop()
            return
        if tag in BLOCKS:
            self._end_block()
        match tag:
            case "rt":
                self.words.append(")")
            case "pre":
                self.literal = False
            case "ul" | "ol" if self.lists:
                self.lists.pop()
            case "td" | "th" | "tr" if self.tables:
                self._end_cell()
            case "table" if self.tables:
                self._end_table()

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag in UNSEEN or tag in BLOCKS:
            self.handle_endtag(tag)

    def handle_data(self, data: str) -> None:
        if not self.unseen:
            self.words.append(data if self.literal else re.sub(r"[ \t\r\n\f]+", " ", data))

    def finish(self) -> str:
        self._end_block()
        while self.tables:
            self._end_table()
        return join_blocks(self.blocks)

    def _begin_item(self) -> None:
        mark = "- "
        if self.lists and (number := self.lists[-1]) is not None:
            self.lists[-1] = number + 1
            mark = f"{number + 1}. "
        self.prefix = "  " * (len(self.lists) - 1) + mark

    def _end_block(self) -> None:
        text, prefix = "".join(self.words), self.prefix
        self.words, self.prefix = [], ""
        if self.literal:
            if text.strip():
                self.blocks.append("```\n" + text.strip("\n") + "\n```")
            return
        text = "\n".join(line.strip() for line in text.split("\n")).strip()
        if text:
            self.blocks.append(prefix + (" ".join(text.split()) if prefix.startswith("#") else text))
        elif prefix.strip() and not prefix.startswith("#"):
            self.prefix = prefix  # a paragraph in an item: the mark is its own

    def _end_cell(self) -> None:
        """Of the innermost table. What stands in none of its cells, such as a caption, goes before it."""
        self._end_block()
        table = self.tables[-1]
        if table.cell:
            table.rows.add(self.blocks, *table.cell)
        else:
            table.before += self.blocks
        self.blocks, table.cell = [], None

    def _end_table(self) -> None:
        self._end_cell()
        table = self.tables.pop()
        self.blocks = [*table.before, table.rows]


def _number(value: str | None, otherwise: int) -> int:
    return int(value) if value and value.isdecimal() and len(value) < 7 else otherwise
