"""Names of files: readable on every system, and unique by the conversation's id."""

from __future__ import annotations

import re

from chatsite.transfer.schema import ConversationRecord

_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]+')
MAX_TITLE_CHARS = 60


def stem_of(record: ConversationRecord) -> str:
    """`2026-11-26 Title abcd1234`."""
    title = " ".join(_UNSAFE.sub(" ", record.title).split())[:MAX_TITLE_CHARS].strip(". ")
    return " ".join(filter(None, [f"{record.created_at:%Y-%m-%d}", title, record.id[:8]]))
