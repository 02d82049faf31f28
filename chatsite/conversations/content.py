"""What a person may send as text. Pure."""

from __future__ import annotations

import re

from chatsite.errors import Refusal

MAX_CONTENT_CHARS = 256 * 1024
"""The reference's limit for one message. Larger input belongs into an attachment."""

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
"""Control characters but tab, line feed and carriage return; lone surrogates; non-characters.

None of them can be typed, and each breaks something downstream: PostgreSQL refuses NUL, UTF-8 has
no surrogates. SQL, markup and control tokens of the model are plain text here.
"""


def check_content(content: str, max_chars: int) -> str:
    """The text itself. Raises Refusal `empty`, `too_long` or `forbidden_text`."""
    if not content.strip():
        raise Refusal("empty", "The message is empty.")
    return check_characters(content, max_chars)


def check_characters(content: str, max_chars: int) -> str:
    """The text itself, which may be empty. Raises Refusal `too_long` or `forbidden_text`."""
    if len(content) > max_chars:
        raise Refusal(
            "too_long",
            f"The message has {len(content):,} characters; at most {max_chars:,} fit. "
            "Shorten it or split it into several.",
        )
    if found := _FORBIDDEN.search(content):
        raise Refusal(
            "forbidden_text",
            f"Character {found.start() + 1:,} (U+{ord(found.group()):04X}) is a control or invalid one. "
            "Remove it and send again.",
        )
    return content
