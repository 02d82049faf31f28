"""Where Markdown's signs stand in a text, so that an excerpt can leave them out. Pure.

No parser: what is cut out of a text is no document any more. A sign that might be the writer's own
(`2 * 3`, `snake_case`, `2**8`, `a | b`, `~5`) stays.
"""

from __future__ import annotations

import re

LOOK_BACK, LOOK_AHEAD = 400, 80
"""A sign is known by its line: so far its beginning is looked for, and so far the end of a pair."""

_REMOVED = tuple(
    re.compile(pattern, re.MULTILINE)
    for pattern in (
        r"^([|: \t-]*---[|: \t-]*)$",  # the rule of a table, or of a page
        r"^[ \t]*(#{1,6}|\*)(?=[ \t])",  # a heading, an item
        r"(`+|~{2,})",
        r"((?<=\S)\*{2,}(?![A-Za-z0-9*])|(?<![A-Za-z0-9])\*{2,}(?=\S))",
        r"(?<![A-Za-z0-9*])(\*)(?=[^\s*])[^*\n]+(?<=\S)(\*)(?![A-Za-z0-9*])",
        r"(?<!\w)(_)(?=[^\s_])[^_\n]+(?<=\S)(_)(?!\w)",
    )
)
"""Each with the signs as its groups."""

_ROW = re.compile(r"^[ \t]*\|.*", re.MULTILINE)


def strip_markup(text: str, start: int, stop: int) -> list[str]:
    """The characters of this part of the text; those that are markup are empty, or a blank between cells."""
    begin = max(text.rfind("\n", 0, start) + 1, start - LOOK_BACK)
    seen = text[begin : stop + LOOK_AHEAD]
    shown = list(seen)
    for row in _ROW.finditer(seen):
        for at in range(*row.span()):
            if seen[at] == "|":
                shown[at] = " "
    for pattern in _REMOVED:
        for found in pattern.finditer(seen):
            for group in range(1, pattern.groups + 1):
                first, end = found.span(group)
                shown[first:end] = [""] * (end - first)
    return shown[start - begin : stop - begin]
