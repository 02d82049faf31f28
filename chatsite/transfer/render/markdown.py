"""A conversation as Markdown: answers as they were written, questions as they were typed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from django.utils.translation import gettext as _

from chatsite.transfer.progress import ProgressCallback
from chatsite.transfer.render.outline import OutlineEntry, outline
from chatsite.transfer.render.wording import (
    documents_note,
    feedback_note,
    local_time,
    period_of,
    role_name,
    title_of,
    usage_note,
    version_note,
)
from chatsite.transfer.schema import ConversationRecord

_SPECIAL = re.compile(r"([\\`*_\[\]<>#|~])")


def render(record: ConversationRecord, tell: ProgressCallback) -> bytes:
    """The whole document."""
    return "\n".join(_document(record)).encode() + b"\n"


def _document(record: ConversationRecord) -> Iterator[str]:
    yield f"# {one_line(title_of(record))}\n"
    yield f"{period_of(record)}\n"
    if record.system:
        yield from (f"## {_('Instructions')}\n", record.system, "")
    for turn in outline(record):
        yield from _turn(turn)


def _turn(turn: OutlineEntry) -> Iterator[str]:
    notes = ", ".join(filter(None, [local_time(turn.message.created_at), version_note(turn)]))
    yield f"## {turn.number}. {role_name(turn)}\n"
    yield f"*{one_line(notes)}*\n"
    if turn.message.reasoning:
        yield from (f"> {line}".rstrip() for line in turn.message.reasoning.splitlines())
        yield ""
    if turn.documents:
        yield f"{one_line(documents_note(turn))}\n"
    yield _closed(turn.message.content)
    yield ""
    if said := " · ".join(filter(None, [usage_note(turn.message.generation), feedback_note(turn)])):
        yield f"*{one_line(said)}*\n"


def one_line(text: str) -> str:
    """Plain text that stays plain in a heading or a note."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _closed(text: str) -> str:
    """A code fence that an answer left open ends with it, and does not swallow the next turn."""
    fence = ""
    for line in text.split("\n"):
        mark = re.match(r" {0,3}(`{3,}|~{3,})(.*)$", line)
        if not mark:
            continue
        if not fence:
            fence = mark[1] if not (mark[1][0] == "`" and "`" in mark[2]) else ""
        elif mark[1][0] == fence[0] and len(mark[1]) >= len(fence) and not mark[2].strip():
            fence = ""
    return f"{text}\n{fence}" if fence else text
