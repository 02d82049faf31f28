"""Names that people give to things: titles, folders, files, keys, prompts. Pure.

A name is one line with something to see. Joiners, variation selectors and marks of direction are spelling:
Persian, Hindi and most emoji are written with them. Refused is what no script needs in a name: control
characters, overrides of the direction (which make `exe.txt` of `txt.exe`), and what cannot be stored.
"""

from __future__ import annotations

import re
import unicodedata

_REFUSED = re.compile("[\x00-\x1f\x7f-\x9f\u202d\u202e\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")

_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and signs that show nothing: fillers of Hangul, the empty pattern of Braille."""

_UNSEEN = ("C", "M", "Z")
"""Categories of what shows nothing by itself: controls and joiners, marks that stand on letters, blanks."""


def single_line(text: str) -> str:
    """The text on one line, with single blanks between its words."""
    return " ".join(text.split())


def is_name(line: str) -> bool:
    """Whether one line may be a name."""
    return not _REFUSED.search(line) and any(map(_is_visible, line))


def without_refused(line: str) -> str:
    """The line without the characters that no name may have, for names that nobody typed."""
    return _REFUSED.sub("", line)


def _is_visible(character: str) -> bool:
    category = unicodedata.category(character)
    # What Unicode has assigned since this Python was made (Cn), and private signs, have somebody's font.
    return character not in _BLANK and (category in ("Co", "Cn") or not category.startswith(_UNSEEN))
