"""Word's formulas (Office Math) as LaTeX."""

from __future__ import annotations

import re

from lxml import etree

from chatsite.attachments.reading.docx.package import attribute, child, children, name_of

LARGE = {
    "∑": r"\sum",
    "∏": r"\prod",
    "∫": r"\int",
    "∬": r"\iint",
    "∭": r"\iiint",
    "∮": r"\oint",
    "⋃": r"\bigcup",
}
LARGE["⋂"] = r"\bigcap"
ACCENTS = {
    "\u0302": "hat",
    "\u0303": "tilde",
    "\u0304": "bar",
    "\u0305": "bar",
    "\u0307": "dot",
    "\u0308": "ddot",
}
ACCENTS |= {"\u20d7": "vec", "\u20d6": "overleftarrow", "\u030c": "check"}
FUNCTIONS = {"sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh", "arcsin", "arccos", "arctan"}
FUNCTIONS |= {"log", "ln", "exp", "lim", "max", "min", "det"}
SPECIAL = re.compile(r"[%#&$_{}]")


def latex(element: etree._Element | None) -> str:
    """What an element of a formula holds, without the marks of a formula around it."""
    return "".join(_one(one) for one in element) if element is not None else ""


def _part(element: etree._Element, name: str) -> str:
    return latex(child(element, name))


def _sign(element: etree._Element, name: str, otherwise: str) -> str:
    """A character of an element's properties, which may be the empty one."""
    found = child(element, f"{name_of(element)}Pr", name)
    value = attribute(found)
    return otherwise if value is None else SPECIAL.sub(r"\\\g<0>", value)


def _one(element: etree._Element) -> str:
    name = name_of(element)
    match name:
        case "m:t" | "w:t":
            return SPECIAL.sub(r"\\\g<0>", element.text or "")
        case "m:f":
            return _fraction(element)
        case "m:sSup" | "m:sSub" | "m:sSubSup":
            return f"{{{_part(element, 'm:e')}}}{_scripts(element)}"
        case "m:sPre":
            return f"{{}}{_scripts(element)}{_part(element, 'm:e')}"
        case "m:rad":
            degree = _part(element, "m:deg")
            return rf"\sqrt{f'[{degree}]' if degree else ''}{{{_part(element, 'm:e')}}}"
        case "m:nary":
            sign = _sign(element, "m:chr", "∫")
            return f"{LARGE.get(sign, sign)}{_scripts(element)} {_part(element, 'm:e')}"
        case "m:d":
            inside = _sign(element, "m:sepChr", "|").join(map(latex, children(element, "m:e")))
            return f"{_sign(element, 'm:begChr', '(')}{inside}{_sign(element, 'm:endChr', ')')}"
        case "m:func":
            called = _part(element, "m:fName")
            return f"{chr(92) if called in FUNCTIONS else ''}{called} {_part(element, 'm:e')}"
        case "m:limLow" | "m:limUpp":
            base, mark = _part(element, "m:e"), "_" if name == "m:limLow" else "^"
            return f"{chr(92) + base if base in FUNCTIONS else base}{mark}{{{_part(element, 'm:lim')}}}"
        case "m:acc":
            return rf"\{ACCENTS.get(_sign(element, 'm:chr', chr(0x302)), 'hat')}{{{_part(element, 'm:e')}}}"
        case "m:bar":
            line = "underline" if attribute(child(element, "m:barPr", "m:pos")) == "bot" else "overline"
            return rf"\{line}{{{_part(element, 'm:e')}}}"
        case "m:m":
            return _matrix(
                [[latex(one) for one in children(row, "m:e")] for row in children(element, "m:mr")]
            )
        case "m:eqArr":
            return _matrix([[latex(one)] for one in children(element, "m:e")])
        case "w:del" | "w:moveFrom" | "w:rPr" | "m:rPr":
            return ""
    return "" if name.endswith("Pr") else latex(element)


def _fraction(element: etree._Element) -> str:
    above, below = _part(element, "m:num"), _part(element, "m:den")
    match attribute(child(element, "m:fPr", "m:type")):
        case "lin" | "skw":
            return f"{above}/{below}"
        case "noBar":
            return rf"{{{above} \atop {below}}}"
    return rf"\frac{{{above}}}{{{below}}}"


def _scripts(element: etree._Element) -> str:
    below, above = _part(element, "m:sub"), _part(element, "m:sup")
    return (f"_{{{below}}}" if below else "") + (f"^{{{above}}}" if above else "")


def _matrix(rows: list[list[str]]) -> str:
    lines = r" \\ ".join(" & ".join(row) for row in rows)
    return rf"\begin{{matrix}} {lines} \end{{matrix}}"
