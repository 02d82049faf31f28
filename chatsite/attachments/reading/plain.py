"""Text files, HTML among them, in whatever encoding they are (encodings.py)."""

from __future__ import annotations

from pathlib import Path

from chatsite.attachments.reading.encodings import DecodedText, decode_text
from chatsite.attachments.reading.html import declared_encoding
from chatsite.attachments.reading.limits import ReadLimits
from chatsite.attachments.reading.unreadable import UnreadableError

BYTES_PER_CHAR = 4
"""The most that one character takes in any of the encodings."""


def read_text(path: Path, limits: ReadLimits, chosen: str = "") -> DecodedText:
    """The whole text, in the `chosen` encoding or its own.

    Raises UnreadableError; a file that cannot fit is not even read.
    """
    if path.stat().st_size > limits.chars * BYTES_PER_CHAR:
        raise UnreadableError("chars", most=limits.chars)
    data = path.read_bytes()
    if not chosen and (codec := declared_encoding(data)):
        try:
            return DecodedText(data.decode(codec))
        except UnicodeDecodeError:
            pass
    decoded = decode_text(data, chosen)
    if decoded is None:
        raise UnreadableError("encoding")
    return decoded
