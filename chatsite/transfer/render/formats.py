"""Export formats by name: suffix, media type, and renderer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chatsite.transfer.progress import ProgressCallback
from chatsite.transfer.schema import ConversationRecord, encode

Render = Callable[[ConversationRecord, ProgressCallback], bytes]


@dataclass(frozen=True)
class ExportFormat:
    """`light`: made in milliseconds, while somebody waits for the answer to a request."""

    suffix: str
    media_type: str
    light: bool
    render: Render


# Each renderer is imported when it is first used: some take a second.


def _json(record: ConversationRecord, tell: ProgressCallback) -> bytes:
    return encode(record)


def _markdown(record: ConversationRecord, tell: ProgressCallback) -> bytes:
    from chatsite.transfer.render import markdown

    return markdown.render(record, tell)


def _html(record: ConversationRecord, tell: ProgressCallback) -> bytes:
    from chatsite.transfer.render import html

    return html.render(record, tell)


def _pdf(record: ConversationRecord, tell: ProgressCallback) -> bytes:
    from chatsite.transfer.render import pdf

    return pdf.render(record, tell)


def _docx(record: ConversationRecord, tell: ProgressCallback) -> bytes:
    from chatsite.transfer.render import docx

    return docx.render(record, tell)


_WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"

FORMATS = {
    "json": ExportFormat("json", "application/json", True, _json),
    "markdown": ExportFormat("md", "text/markdown; charset=utf-8", True, _markdown),
    "html": ExportFormat("html", "text/html; charset=utf-8", False, _html),
    "pdf": ExportFormat("pdf", "application/pdf", False, _pdf),
    "docx": ExportFormat("docx", _WORD, False, _docx),
}
