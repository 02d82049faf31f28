"""Paragraph styles: which are headings, and which number their paragraphs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from chatsite.attachments.reading.docx.package import attribute, child, children, whole_number

HEADING = re.compile(r"heading ([1-9])", re.I)
"""The names that styles of headings have in every language of Word."""

DEEPEST_HEADING = 6
"""Markdown's."""

BODY_LEVEL = 9
"""The outline level of what is no heading."""


@dataclass(frozen=True)
class ParagraphStyle:
    """A style as far as it matters here: None where it says nothing, and its base decides."""

    name: str
    base: str | None
    outline: int | None
    list_id: str | None
    list_level: int | None


class ParagraphStyles:
    """All of a document's, by id. `root` is its styles part."""

    def __init__(self, root: etree._Element | None) -> None:
        self._styles = {attribute(one, "styleId") or "": _style(one) for one in children(root, "w:style")}
        defaults = (one for one in children(root, "w:style") if attribute(one, "type") == "paragraph")
        self._default = next(
            (
                attribute(one, "styleId")
                for one in defaults
                if attribute(one, "default") in ("1", "true", "on")
            ),
            None,
        )

    def chain(self, id: str | None) -> Iterator[ParagraphStyle]:
        """The style and those that it is based on, the nearest first."""
        seen: set[str] = set()
        id = id or self._default
        while id and id not in seen and (style := self._styles.get(id)):
            seen.add(id)
            yield style
            id = style.base

    def heading(self, properties: etree._Element | None) -> int:
        """A paragraph's level as a heading, 1 to 6; 0: it is none."""
        outline = child(properties, "w:outlineLvl")
        if outline is not None:
            return _level(whole_number(outline, otherwise=BODY_LEVEL))
        for style in self.chain(attribute(child(properties, "w:pStyle"))):
            if style.name.lower() == "title":
                return 1
            if found := HEADING.fullmatch(style.name):
                return min(int(found[1]), DEEPEST_HEADING)
            if style.outline is not None:
                return _level(style.outline)
        return 0

    def list_of(self, properties: etree._Element | None) -> tuple[str, int | None] | None:
        """A paragraph's list and its level there, None where the list knows it by the style; or no list."""
        own = child(properties, "w:numPr")
        id, level = attribute(child(own, "w:numId")), child(own, "w:ilvl")
        found_level = whole_number(level) if level is not None else None
        for style in self.chain(attribute(child(properties, "w:pStyle"))):
            if id is not None:
                break
            id = style.list_id
            found_level = style.list_level if found_level is None else found_level
        return None if id in (None, "0") else (str(id), found_level)


def _style(one: etree._Element) -> ParagraphStyle:
    properties = child(one, "w:pPr")
    outline, level = child(properties, "w:outlineLvl"), child(properties, "w:numPr", "w:ilvl")
    return ParagraphStyle(
        attribute(child(one, "w:name")) or "",
        attribute(child(one, "w:basedOn")),
        None if outline is None else whole_number(outline, otherwise=BODY_LEVEL),
        attribute(child(properties, "w:numPr", "w:numId")),
        None if level is None else whole_number(level),
    )


def _level(outline: int) -> int:
    return 0 if outline >= BODY_LEVEL else min(outline + 1, DEEPEST_HEADING)
