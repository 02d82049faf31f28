"""Text files: UTF-8, UTF-16 with its mark, or GB18030, in which Chinese Windows still writes."""

from __future__ import annotations

import codecs
from pathlib import Path

from chatsite.attachments.reading.limits import Limits
from chatsite.attachments.reading.unreadable import UnreadableError

MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))

BYTES_PER_CHAR = 4
"""The most that one character takes in any of these encodings."""


def read_text(path: Path, limits: Limits) -> str:
    """The whole text. Raises UnreadableError; a file that cannot fit is not even read."""
    if path.stat().st_size > limits.chars * BYTES_PER_CHAR:
        raise UnreadableError("chars", most=limits.chars)
    data = path.read_bytes()
    marked = next((name for mark, name in MARKS if data.startswith(mark)), None)
    for encoding in (marked,) if marked else ("utf-8", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise UnreadableError("encoding")
