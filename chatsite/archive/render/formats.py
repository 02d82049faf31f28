"""The formats by name: suffix, media type, and how a record becomes one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from chatsite.archive.schema import ConversationRecord, encode

Tell = Callable[[int, int], None]
"""Takes how much is done, and of how much; it may raise to end the work."""

Render = Callable[[ConversationRecord, Tell], bytes]


def unheard(done: int, total: int) -> None:
    """Progress that nobody waits for."""


@dataclass(frozen=True)
class Format:
    """`light`: made in milliseconds, while somebody waits for the answer to a request."""

    suffix: str
    media_type: str
    light: bool
    render: Render


def _lazily(name: str) -> Render:
    """The renderer of that module, which is imported when it is first used: some take a second."""

    def render(record: ConversationRecord, tell: Tell) -> bytes:
        rendered: bytes = import_module(f"chatsite.archive.render.{name}").render(record, tell)
        return rendered

    return render


def _json(record: ConversationRecord, tell: Tell) -> bytes:
    return encode(record)


_WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"

FORMATS = {
    "json": Format("json", "application/json", True, _json),
    "markdown": Format("md", "text/markdown; charset=utf-8", True, _lazily("markdown")),
    "html": Format("html", "text/html; charset=utf-8", False, _lazily("html")),
    "pdf": Format("pdf", "application/pdf", False, _lazily("pdf")),
    "docx": Format("docx", _WORD, False, _lazily("docx")),
}
