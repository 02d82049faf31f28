"""What a file is, by its first bytes and never by its name. Pure."""

from __future__ import annotations

from typing import Literal

from chatsite.attachments.reading.encodings import BYTE_ORDER_MARKS, unmarked_utf16
from chatsite.attachments.reading.unreadable import UnreadableError

Kind = Literal["text", "pdf", "docx"]

HEAD_BYTES = 4_096
"""Enough for every mark below; PDF readers accept 1,024 bytes of rubbish before theirs."""

KNOWN = (
    (b"\x89PNG", "picture"),
    (b"\xff\xd8\xff", "picture"),
    (b"GIF8", "picture"),
    (b"RIFF", "media"),
    (b"ID3", "media"),
    (b"\xd0\xcf\x11\xe0", "old_office"),
    (b"\x1f\x8b", "archive"),
    (b"7z\xbc\xaf", "archive"),
    (b"Rar!", "archive"),
    (b"\x7fELF", "program"),
    (b"MZ", "program"),
)
"""What people attach by mistake, named so that they see which file it was."""

TEXT_MARKS = tuple(mark for mark, _ in BYTE_ORDER_MARKS)
"""Text with one of these may hold zero bytes."""


def detect_kind(head: bytes) -> Kind:
    """The kind of a file that begins like this. `docx` means a zip archive: whether it is one is seen inside.

    Raises UnreadableError that names what it is instead.
    """
    if b"%PDF-" in head[:1_024]:
        return "pdf"
    if head.startswith(b"PK\x03\x04"):
        return "docx"
    if head.startswith(TEXT_MARKS):
        return "text"
    for mark, what in KNOWN:
        if head.startswith(mark) and not _printable(head):
            raise UnreadableError(what)
    if head.startswith(b"{\\rtf"):
        raise UnreadableError("rich_text")
    if b"\x00" in head and unmarked_utf16(head) is None:
        raise UnreadableError("binary")
    return "text"


def _printable(head: bytes) -> bool:
    """Text may begin with MZ or GIF8 too."""
    return not any(byte < 9 or 13 < byte < 27 for byte in head) and head.isascii()
