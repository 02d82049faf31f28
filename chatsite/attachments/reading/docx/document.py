"""DOCX: every text node once, in the order in which it is read, as Markdown.

What was inserted under track changes is there, what was deleted is not. Text boxes stand after the paragraph
that holds them, headers before the text, footers, notes and comments after it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from chatsite.attachments.reading.docx.formulas import latex
from chatsite.attachments.reading.docx.numbering import ListNumbers, digits
from chatsite.attachments.reading.docx.package import (
    DocxPackage,
    attribute,
    child,
    children,
    name_of,
    whole_number,
)
from chatsite.attachments.reading.docx.styles import ParagraphStyles
from chatsite.attachments.reading.docx.symbols import symbol
from chatsite.attachments.reading.limits import ReadLimits
from chatsite.attachments.reading.markdown_table import Block, SpannedRows, join_blocks
from chatsite.attachments.reading.unreadable import UnreadableError

SKIPPED = frozenset(
    {"w:del", "w:moveFrom", "w:delText", "w:instrText", "w:footnoteRef", "w:endnoteRef", "w:annotationRef"}
)
"""What Word does not show, or shows as a number that we write ourselves."""

SPACES = {"w:tab": "\t", "w:ptab": "\t", "w:br": "\n", "w:cr": "\n", "w:noBreakHyphen": "-", "a:br": "\n"}

NOTES = {"w:footnoteReference": "footnote", "w:endnoteReference": "endnote", "w:commentReference": "comment"}
"""References in the text, and the notes' elements in their part, which is called by their plural."""

NOTE_LABELS = {"footnote": "{decimal}", "endnote": "{lowerRoman}", "comment": "c{decimal}"}
"""As Word numbers them; a comment's letter keeps it apart."""


def read_docx(path: Path, limits: ReadLimits) -> Iterator[str]:
    """Its blocks, one after the other. Raises UnreadableError, now or while iterating."""
    package = DocxPackage(path, limits)
    root = package.part(package.main) if package.main else None
    if root is None or name_of(root) != "w:document":
        raise UnreadableError("archive")
    return _Walk(package, root).texts()


class _ListItem(str):
    """A line of a list: items that follow each other stand together."""


class _Walk:
    """Through one document. The parts that a reference leads to are read when it is met."""

    def __init__(self, package: DocxPackage, root: etree._Element) -> None:
        self.package = package
        self.root = root
        self.styles = ParagraphStyles(package.related(package.main, "styles"))
        self.numbers = ListNumbers(package.related(package.main, "numbering"))
        self.part = package.main
        """Whose relationships count where the walk is."""
        self.notes: dict[tuple[str, str], str] = {}
        """Notes that were referred to, by kind and id: their labels."""
        self.boxes: list[Block] = []
        """Text boxes of the paragraph that is being read."""

    def texts(self) -> Iterator[str]:
        yield from self._of_sections("w:headerReference")
        for block in self.blocks(child(self.root, "w:body")):
            yield block if isinstance(block, str) else block.as_markdown()
        yield from self._of_sections("w:footerReference")
        yield from self._notes()

    def _of_sections(self, reference: str) -> Iterator[str]:
        """Headers or footers; those of the first and of even pages often say the same."""
        seen = set()
        for section in self.root.iter("{*}sectPr"):
            for one in children(section, reference):
                target = self.package.target(self.package.main, attribute(one, "id") or "")
                text = self._other_part(target)
                if text and text not in seen:
                    seen.add(text)
                    yield text

    def _other_part(self, name: str) -> str:
        root = self.package.part(name) if name else None
        if root is None:
            return ""
        before, self.part = self.part, name
        try:
            return join_blocks(list(self.blocks(root)))
        finally:
            self.part = before

    def _notes(self) -> Iterator[str]:
        """What was referred to, in that order; notes may refer to others."""
        roots = {kind: self.package.related(self.package.main, f"{kind}s") for kind in NOTE_LABELS}
        found = {
            (kind, attribute(one, "id") or ""): one
            for kind, root in roots.items()
            for one in children(root, f"w:{kind}")
        }
        done = 0
        while done < len(self.notes):
            (key, label) = list(self.notes.items())[done]
            done += 1
            if key in found:
                author = attribute(found[key], "author") if key[0] == "comment" else None
                text = join_blocks(list(self.blocks(found[key])))
                yield f"[^{label}]: {author + ': ' if author else ''}{text}"

    def blocks(self, element: etree._Element | None) -> Iterator[Block]:
        """The paragraphs and tables in an element, however deep."""
        items: list[str] = []
        for block in self._each_block(element):
            if isinstance(block, _ListItem):
                items.append(block)
                continue
            if items:
                yield "\n".join(items)
                items = []
            yield block
        if items:
            yield "\n".join(items)

    def _each_block(self, element: etree._Element | None) -> Iterator[Block]:
        for one in element if element is not None else ():
            match name_of(one):
                case "w:p":
                    yield from self._paragraph(one)
                case "w:tbl":
                    yield self._table(one)
                case "a:p":
                    yield "".join(self.inline(one)).strip()
                case "mc:AlternateContent":
                    yield from self._each_block(_alternative(one))
                case "m:oMathPara" | "m:oMath":
                    yield f"$${latex(one)}$$"
                case "c:strCache" | "c:numCache":
                    yield ", ".join(value.text or "" for value in one.iter("{*}v"))
                case name if name not in SKIPPED:
                    yield from self._each_block(one)

    def _paragraph(self, element: etree._Element) -> Iterator[Block]:
        outer, self.boxes = self.boxes, []
        text = "".join(self.inline(element)).strip()
        boxes, self.boxes = self.boxes, outer
        properties = child(element, "w:pPr")
        mark, level = "", 0
        if (found := self.styles.list_of(properties)) and (text or boxes):
            mark, level = self.numbers.mark(*found, attribute(child(properties, "w:pStyle")))
        if heading := self.styles.heading(properties) if text else 0:
            yield f"{'#' * heading} {' '.join(f'{mark} {text}'.split())}"
        elif text:
            yield _ListItem(f"{'  ' * level}{mark} {text}") if mark else text
        yield from boxes

    def inline(self, element: etree._Element | None) -> Iterator[str]:
        """The words in an element; blocks in it, such as text boxes, are put aside."""
        for one in element if element is not None else ():
            match name_of(one):
                case "w:t" | "a:t":
                    yield one.text or ""
                case "w:sym":
                    yield symbol(attribute(one, "font") or "", attribute(one, "char") or "")
                case "w:ruby":
                    over = "".join(self.inline(child(one, "w:rt")))
                    yield "".join(self.inline(child(one, "w:rubyBase"))) + (
                        f"({over})" if over.strip() else ""
                    )
                case "w:checkBox":
                    ticked = child(one, "w:checked")
                    ticked = child(one, "w:default") if ticked is None else ticked
                    yield "☐" if ticked is None or attribute(ticked) in ("0", "false", "off") else "☒"
                case "m:oMath":
                    yield f"${latex(one)}$"
                case "m:oMathPara":
                    yield f"$${' '.join(map(latex, children(one, 'm:oMath')))}$$"
                case "w:footnoteReference" | "w:endnoteReference" | "w:commentReference" as name:
                    yield f"[^{self._label(NOTES[name], attribute(one, 'id') or '')}]"
                case "w:txbxContent" | "w:tbl" | "a:p":
                    self.boxes += self._put_aside(one)
                case "dgm:relIds":
                    self.boxes += [
                        self._other_part(self.package.target(self.part, attribute(one, "dm") or ""))
                    ]
                case "c:chart":
                    self.boxes += [
                        self._other_part(self.package.target(self.part, attribute(one, "id") or ""))
                    ]
                case "mc:AlternateContent":
                    yield from self.inline(_alternative(one))
                case name if name in SPACES:
                    yield SPACES[name]
                case name if name not in SKIPPED:
                    yield from self.inline(one)

    def _put_aside(self, element: etree._Element) -> list[Block]:
        outer, self.boxes = self.boxes, []
        if name_of(element) == "w:tbl":
            found: list[Block] = [self._table(element)]
        elif name_of(element) == "a:p":
            found = ["".join(self.inline(element)).strip()]
        else:
            found = list(self.blocks(element))
        found, self.boxes = found + self.boxes, outer
        return found

    def _label(self, kind: str, id: str) -> str:
        if (kind, id) not in self.notes:
            count = 1 + sum(known == kind for known, _ in self.notes)
            label = NOTE_LABELS[kind].format(decimal=count, lowerRoman=digits(count, "lowerRoman"))
            self.notes[kind, id] = label
        return self.notes[kind, id]

    def _table(self, element: etree._Element) -> SpannedRows:
        rows = SpannedRows()
        for row in _inside(element, "w:tr"):
            properties = child(row, "w:trPr")
            if child(properties, "w:del") is not None:
                continue
            rows.begin_row()
            for _ in range(min(whole_number(child(properties, "w:gridBefore")), 63)):
                rows.add(())
            for cell in _inside(row, "w:tc"):
                about = child(cell, "w:tcPr")
                merged = [*children(about, "w:vMerge", "w:hMerge")]
                hidden = any(attribute(one) != "restart" for one in merged)
                rows.add(
                    () if hidden else list(self.blocks(cell)),
                    whole_number(child(about, "w:gridSpan"), otherwise=1),
                )
        return rows


def _inside(element: etree._Element, name: str) -> Iterator[etree._Element]:
    """Rows of a table or cells of a row, also where content controls and the like are around them."""
    for one in element:
        if name_of(one) == name:
            yield one
        elif name_of(one) in ("w:sdt", "w:sdtContent", "w:customXml", "w:ins", "w:moveTo", "w:smartTag"):
            yield from _inside(one, name)


def _alternative(element: etree._Element) -> etree._Element | None:
    """Of the forms in which one thing is written for programs of every age, the first that has words."""
    forms = [*children(element, "mc:Choice", "mc:Fallback")]
    return next((one for one in forms if any(True for _ in one.iter("{*}t", "{*}relIds", "{*}chart"))), None)
