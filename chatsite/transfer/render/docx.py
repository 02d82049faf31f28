"""A conversation as a Word document: Markdown's structure in Word's own styles, code in a mono face."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from typing import Any

from django.utils.translation import gettext as _
from docx import Document
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml.ns import qn
from docx.oxml.parser import OxmlElement
from docx.shared import Cm, Pt, RGBColor
from markdown_it.token import Token

from chatsite.transfer.progress import ProgressCallback
from chatsite.transfer.render.blocks import OUTSIDE, parser
from chatsite.transfer.render.outline import outline
from chatsite.transfer.render.wording import (
    documents_note,
    feedback_note,
    local_time,
    period_of,
    role_name,
    title_of,
    usage_note,
    version_note,
)
from chatsite.transfer.schema import ConversationRecord

SERIF_FREE, HAN, MONO = "Calibri", "Microsoft YaHei", "Consolas"
SOFT = RGBColor(0x54, 0x5D, 0x58)
PANEL = "EFF1EC"

_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
"""XML 1.0 cannot hold these; a person who typed one sees it replaced."""


def render(record: ConversationRecord, tell: ProgressCallback) -> bytes:
    """The whole document."""
    paper = _paper()
    paper.core_properties.title = _clean(title_of(record))[:255]
    paper.core_properties.author = ""
    paper.add_heading(_clean(title_of(record)), 0)
    _note(paper, period_of(record))
    if record.system:
        paper.add_heading(_("Instructions"), 2)
        paper.add_paragraph(_clean(record.system))
    for turn in outline(record):
        tell(turn.number - 1, len(record.messages))
        message = turn.message
        paper.add_heading(f"{turn.number}. {role_name(turn)}", 2)
        _note(paper, " · ".join(filter(None, [local_time(message.created_at), version_note(turn)])))
        if message.reasoning:
            paper.add_paragraph(_clean(message.reasoning), style="Intense Quote")
        if turn.documents:
            _note(paper, documents_note(turn))
        if message.role == "assistant":
            _Blocks(paper).write(parser().parse(message.content))
        else:
            paper.add_paragraph(_clean(message.content))
        if said := " · ".join(filter(None, [usage_note(message.generation), feedback_note(turn)])):
            _note(paper, said)
    file = BytesIO()
    paper.save(file)
    return file.getvalue()


def _paper() -> Any:
    paper = Document()
    for name in ("Normal", "Title", "Heading 1", "Heading 2", "Heading 3", "Heading 4"):
        font = paper.styles[name].font
        font.name = SERIF_FREE
        fonts = paper.styles[name].element.get_or_add_rPr().get_or_add_rFonts()
        for script in ("w:asciiTheme", "w:hAnsiTheme", "w:eastAsiaTheme", "w:cstheme"):
            fonts.attrib.pop(qn(script), None)
        fonts.set(qn("w:eastAsia"), HAN)
    paper.styles["Normal"].font.size = Pt(10.5)
    return paper


def _note(paper: Any, text: str) -> None:
    run = paper.add_paragraph().add_run(_clean(text))
    run.font.size, run.font.color.rgb = Pt(8.5), SOFT


def _clean(text: str) -> str:
    return _NOT_XML.sub("�", text)


@dataclass(frozen=True)
class _Ink:
    """How the words that come next look."""

    bold: bool = False
    italic: bool = False
    struck: bool = False
    underlined: bool = False
    raised: bool = False
    lowered: bool = False
    address: str = ""


@dataclass
class _List:
    """A list that is being written. `number`: Word's, of an ordered one; `marked`: the item has its mark."""

    style: str
    number: int | None
    marked: bool = False


@dataclass
class _Blocks:
    """Markdown's block tokens, one after the other, into paragraphs."""

    paper: Any
    lists: list[_List] = field(default_factory=list)
    quotes: int = 0
    label: str = ""
    table: list[list[tuple[Token, str]]] | None = None

    def write(self, tokens: Sequence[Token]) -> None:
        heading = 0
        side = ""
        ink = _Ink()
        for token in tokens:
            match token.type:
                case "heading_open":
                    heading = int(token.tag[1])
                case "heading_close":
                    heading = 0
                case "bullet_list_open":
                    self.lists.append(_List(_style("List Bullet", len(self.lists) + 1), None))
                case "ordered_list_open":
                    style = _style("List Number", len(self.lists) + 1)
                    start = int(token.attrs.get("start", 1))
                    self.lists.append(_List(style, _new_numbering(self.paper, style, start)))
                case "bullet_list_close" | "ordered_list_close":
                    self.lists.pop()
                case "list_item_open":
                    self.lists[-1].marked = False
                case "blockquote_open":
                    self.quotes += 1
                case "blockquote_close":
                    self.quotes -= 1
                case "footnote_open":
                    self.label = token.meta["words"]
                case "summary_open" | "summary_close":
                    ink = replace(ink, bold=token.nesting == 1)
                case "table_open":
                    self.table = []
                case "tr_open":
                    assert self.table is not None
                    self.table.append([])
                case "th_open" | "td_open":
                    side = str(token.attrs.get("style", "")).rpartition(":")[2]
                case "table_close":
                    self._table()
                case "inline" if self.table is not None:
                    self.table[-1].append((token, side))
                case "inline":
                    _inline(self._paragraph(heading), token, ink)
                case "fence" | "code_block" | "math_block":
                    self._code(token.content)
                case "hr":
                    self.paper.add_paragraph("―" * 3).alignment = WD_ALIGN_PARAGRAPH.CENTER

    def _paragraph(self, heading: int) -> Any:
        if heading:
            # The turn's own heading is of level 2: what is in it lies below.
            paragraph = self.paper.add_heading("", min(heading + 2, 9))
        elif self.lists:
            paragraph = self._item()
        else:
            paragraph = self.paper.add_paragraph(style="Quote" if self.quotes else None)
        if self.label:
            _run(paragraph, self.label, _Ink(raised=True))
            _run(paragraph, " ", _Ink())
            self.label = ""
        return paragraph

    def _item(self) -> Any:
        """A paragraph of an item; the first one has the item's mark."""
        inner = self.lists[-1]
        style = _style("List Continue", len(self.lists)) if inner.marked else inner.style
        paragraph = self.paper.add_paragraph(style=style)
        if inner.number is not None and not inner.marked:
            numbered = paragraph._p.get_or_add_pPr().get_or_add_numPr()
            numbered.get_or_add_numId().val, numbered.get_or_add_ilvl().val = inner.number, 0
        inner.marked = True
        return paragraph

    def _code(self, code: str) -> None:
        paragraph = self.paper.add_paragraph()
        paragraph.paragraph_format.left_indent = Cm(0.3)
        shading = OxmlElement("w:shd")
        shading.set(qn("w:val"), "clear")
        shading.set(qn("w:fill"), PANEL)
        paragraph._p.get_or_add_pPr().append(shading)
        _mono(paragraph.add_run(_clean(code.rstrip("\n"))))

    def _table(self) -> None:
        rows, self.table = self.table or [], None
        width = max(map(len, rows), default=0)
        if not width:
            return
        grid = self.paper.add_table(len(rows), width, style="Table Grid")
        for number, row in enumerate(rows):
            for cell, (token, side) in zip(grid.rows[number].cells, row, strict=False):
                _inline(cell.paragraphs[0], token, _Ink(bold=number == 0))
                if side in _SIDES:
                    cell.paragraphs[0].alignment = _SIDES[side]
        self.paper.add_paragraph()


_SIDES = {"right": WD_ALIGN_PARAGRAPH.RIGHT, "center": WD_ALIGN_PARAGRAPH.CENTER}


def _style(name: str, depth: int) -> str:
    """Word's style of a list at this depth; it has three."""
    return f"{name} {min(depth, 3)}" if depth > 1 else name


def _new_numbering(paper: Any, style_name: str, start: int) -> int:
    """A numbering of its own for one list: Word counts on through all paragraphs of a style otherwise."""
    numbering = paper.part.numbering_part.numbering_definitions._numbering
    style = paper.styles[style_name].element.pPr.numPr.numId.val
    abstract = numbering.num_having_numId(style).abstractNumId.val
    made = numbering.add_num(abstract)
    made.add_lvlOverride(ilvl=0).add_startOverride(start)
    return int(made.numId)


_PLAIN_TAGS = {
    "b": "bold", "strong": "bold", "em": "italic", "i": "italic", "s": "struck", "del": "struck",
    "u": "underlined", "ins": "underlined", "sup": "raised", "sub": "lowered",
}  # fmt: skip


def _inline(paragraph: Any, line: Token, ink: _Ink = _Ink()) -> None:
    for token in line.children or ():
        match token.type:
            case "strong_open" | "strong_close":
                ink = replace(ink, bold=token.nesting == 1)
            case "em_open" | "em_close":
                ink = replace(ink, italic=token.nesting == 1)
            case "s_open" | "s_close":
                ink = replace(ink, struck=token.nesting == 1)
            case "link_open":
                href = str(token.attrs.get("href", ""))
                ink = replace(ink, address=href if OUTSIDE.match(href) else "")
            case "link_close":
                if ink.address:
                    _run(paragraph, f" ({ink.address})", replace(ink, address=""))
                ink = replace(ink, address="")
            case "code_inline" | "math_inline":
                _mono(paragraph.add_run(_clean(token.content)))
            case "softbreak" | "hardbreak":
                paragraph.add_run().add_break()
            case "html_inline" if token.tag == "br":
                paragraph.add_run().add_break()
            case "html_inline":
                ink = _tagged(ink, token)
            case "footnote_ref":
                _run(paragraph, token.content, replace(ink, raised=True))
            case "image":
                address = str(token.attrs.get("src", ""))
                _run(paragraph, f"{token.content} ({address})" if token.content else address, ink)
            case _:
                # An autolink says its address already.
                said = token.content in (ink.address, ink.address.removeprefix("mailto:"))
                ink = replace(ink, address="") if said else ink
                _run(paragraph, token.content, ink)


def _tagged(ink: _Ink, token: Token) -> _Ink:
    """What a plain tag begins or ends."""
    begins: Any = not token.content.startswith("</")
    return replace(ink, **{_PLAIN_TAGS[token.tag]: begins}) if token.tag in _PLAIN_TAGS else ink


def _run(paragraph: Any, text: str, ink: _Ink) -> None:
    run = paragraph.add_run(_clean(text))
    run.bold, run.italic, run.underline = ink.bold or None, ink.italic or None, ink.underlined or None
    run.font.strike, run.font.superscript = ink.struck or None, ink.raised or None
    run.font.subscript = ink.lowered or run.font.subscript


def _mono(run: Any) -> None:
    run.font.name, run.font.size = MONO, Pt(9)
    run._r.get_or_add_rPr().get_or_add_rFonts().set(qn("w:eastAsia"), HAN)
