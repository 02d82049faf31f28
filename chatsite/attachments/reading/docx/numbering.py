"""The numbers that Word shows before list items and headings: no text node holds them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lxml import etree

from chatsite.attachments.reading.docx.package import attribute, child, children, whole_number

LEVELS = 9

CHINESE = "零一二三四五六七八九"
STEMS = "甲乙丙丁戊己庚辛壬癸"
BRANCHES = "子丑寅卯辰巳午未申酉戌亥"
ROMAN = list(
    zip(
        (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1),
        ["M", "CM", "D", "CD", "C", "XC", "L", "XL", "X", "IX", "V", "IV", "I"],
        strict=True,
    )
)


@dataclass(frozen=True)
class ListLevel:
    """How one level of a list is numbered: `text` is such as `%1.%2`, `format` Word's name of the digits."""

    start: int
    format: str
    text: str
    style: str | None
    plain_digits: bool


NO_LEVEL = ListLevel(1, "decimal", "", None, False)


class ListNumbers:
    """Counts the items of a document's lists, in the order in which they are asked for."""

    def __init__(self, root: etree._Element | None) -> None:
        """`root` is the numbering part."""
        self._levels = {
            attribute(one, "abstractNumId"): {
                whole_number(level, "ilvl"): _level(level) for level in children(one, "w:lvl")
            }
            for one in children(root, "w:abstractNum")
        }
        self._follow_links(root)
        self._lists = {attribute(one, "numId"): one for one in children(root, "w:num")}
        self._counts: dict[str | None, list[int | None]] = {}
        self._begun: set[tuple[str, int]] = set()
        """Lists and levels whose own start has been taken."""

    def _follow_links(self, root: etree._Element | None) -> None:
        """A list that is only a link to a list style has the levels of that style's list."""
        shared = {attribute(child(one, "w:styleLink")): one for one in children(root, "w:abstractNum")}
        for one in children(root, "w:abstractNum"):
            link = attribute(child(one, "w:numStyleLink"))
            if link is not None and link in shared:
                levels = self._levels[attribute(shared[link], "abstractNumId")]
                self._levels[attribute(one, "abstractNumId")] = levels

    def mark(self, list_id: str, level: int | None, style: str | None) -> tuple[str, int]:
        """What stands before the next item, "-" for any bullet, and its level from 0."""
        list_ = self._lists.get(list_id)
        shared = attribute(child(list_, "w:abstractNumId"))
        levels = dict(self._levels.get(shared, {}))
        starts = {}
        for one in children(list_, "w:lvlOverride"):
            at = whole_number(one, "ilvl")
            if (own := child(one, "w:lvl")) is not None:
                levels[at] = _level(own)
            if (start := child(one, "w:startOverride")) is not None:
                starts[at] = whole_number(start)
        if level is None:
            level = next((at for at, one in levels.items() if style and one.style == style), 0)
        level = max(0, min(level, LEVELS - 1))
        if not levels:
            return "-", level
        counts = self._counts.setdefault(shared, [None] * LEVELS)
        self._count(counts, list_id, level, levels, starts)
        return _shown(counts, level, levels), level

    def _count(
        self,
        counts: list[int | None],
        list_id: str,
        level: int,
        levels: dict[int, ListLevel],
        starts: dict[int, int],
    ) -> None:
        for at in range(level + 1):
            if at in starts and (list_id, at) not in self._begun:
                self._begun.add((list_id, at))
                counts[at] = starts[at] - (at == level)
            elif counts[at] is None:
                counts[at] = levels.get(at, NO_LEVEL).start - (at == level)
        counts[level] = (counts[level] or 0) + 1
        counts[level + 1 :] = [None] * (LEVELS - level - 1)


def _level(element: etree._Element) -> ListLevel:
    format = child(element, "w:numFmt")
    return ListLevel(
        whole_number(child(element, "w:start"), otherwise=0 if child(element, "w:start") is None else 1),
        attribute(format) or "decimal",
        attribute(child(element, "w:lvlText")) or "",
        attribute(child(element, "w:pStyle")),
        child(element, "w:isLgl") is not None,
    )


def _shown(counts: list[int | None], level: int, levels: dict[int, ListLevel]) -> str:
    own = levels.get(level, NO_LEVEL)
    if own.format == "bullet":
        return "-"

    def place(found: re.Match[str]) -> str:
        at = int(found[1]) - 1
        one = levels.get(at, NO_LEVEL)
        return digits(counts[at] or 0, "decimal" if own.plain_digits else one.format)

    return re.sub(r"%([1-9])", place, own.text).strip()


def digits(count: int, format: str) -> str:
    """A number in one of Word's formats; in one that is not known here, in decimal."""
    match format:
        case "none" | "bullet":
            return ""
        case "lowerLetter" | "upperLetter" if count > 0:
            letters = chr(ord("a") + (count - 1) % 26) * ((count - 1) // 26 + 1)
            return letters if format == "lowerLetter" else letters.upper()
        case "lowerRoman" | "upperRoman" if 0 < count < 4_000:
            return _roman(count) if format == "upperRoman" else _roman(count).lower()
        case "decimalZero":
            return f"{count:02}"
        case "decimalFullWidth" | "decimalFullWidth2":
            return str(count).translate({ord("0") + digit: 0xFF10 + digit for digit in range(10)})
        case "decimalEnclosedCircle" | "decimalEnclosedCircleChinese" if 0 < count <= 20:
            return chr(0x2460 + count - 1)
        case (
            "chineseCounting" | "chineseCountingThousand" | "taiwaneseCounting" | "taiwaneseCountingThousand"
        ):
            return _chinese(count)
        case "japaneseCounting" | "ideographDigital":
            return _chinese(count) if format == "japaneseCounting" else _digit_by_digit(count)
        case "ideographTraditional" if 0 < count <= len(STEMS):
            return STEMS[count - 1]
        case "ideographZodiac" if 0 < count <= len(BRANCHES):
            return BRANCHES[count - 1]
        case "ordinal":
            teen = 10 < count % 100 < 14
            return f"{count}{'th' if teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(count % 10, 'th')}"
    return str(count)


def _roman(count: int) -> str:
    text = ""
    for value, letters in ROMAN:
        times, count = divmod(count, value)
        text += letters * times
    return text


def _digit_by_digit(count: int) -> str:
    return "".join("〇一二三四五六七八九"[int(digit)] for digit in str(abs(count)))


def _chinese(count: int) -> str:
    """As they are counted: 10 十, 21 二十一, 105 一百零五; beyond 9,999 in decimal."""
    if not 0 < count < 10_000:
        return str(count)
    text = ""
    for unit, name in ((1_000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = count // unit % 10
        if digit:
            text += CHINESE[digit] + name
        elif text and count % unit and not text.endswith("零"):
            text += "零"
    return text.removeprefix("一") if 10 <= count < 20 else text
