"""A conversation as one HTML file: nothing outside it is needed, nothing in it can run."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from functools import cache
from html import escape
from pathlib import Path

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from chatsite.transfer.progress import ProgressCallback
from chatsite.transfer.render.blocks import to_html
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


def render(record: ConversationRecord, tell: ProgressCallback) -> bytes:
    """The whole document."""
    return "".join(html_document(record, list(outline(record)))).encode()


def html_document(
    record: ConversationRecord, turns: Sequence[OutlineEntry], *, opening: bool = True
) -> Iterator[str]:
    """The document of these turns; `opening`: with title and instructions before them."""
    title = escape(title_of(record))
    yield f'<!doctype html>\n<html lang="{_tag()}">\n<head>\n<meta charset="utf-8">\n'
    yield f'<meta http-equiv="Content-Security-Policy" content="{content_security_policy()}">\n'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    yield '<meta name="referrer" content="no-referrer">\n'
    yield f"<title>{title}</title>\n<style>{stylesheet()}</style>\n</head>\n<body>\n<main>\n"
    if opening:
        yield f'<header><h1>{title}</h1><p class="note">{escape(period_of(record))}</p></header>\n'
        if record.system:
            yield f'<section class="turn system"><h2 class="who">{_("Instructions")}</h2>'
            yield f"{_typed(record.system)}</section>\n"
    for turn in turns:
        yield from _turn(turn)
    yield "</main>\n</body>\n</html>\n"


def content_security_policy() -> str:
    """Only the one style sheet in it applies, known by its hash."""
    digest = base64.b64encode(hashlib.sha256(stylesheet().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


@cache
def stylesheet() -> str:
    return Path(__file__).with_name("document.css").read_text(encoding="utf-8")


def _turn(turn: OutlineEntry) -> Iterator[str]:
    message = turn.message
    notes = " · ".join(filter(None, [local_time(message.created_at), version_note(turn)]))
    branch = " branch" if turn.after is not None and turn.number > 1 else ""
    yield f'<section class="turn {message.role}{branch}" id="no-{turn.number}">'
    yield f'<h2 class="who"><span class="no">{turn.number}</span> {escape(role_name(turn))} '
    yield f'<span class="note">{escape(notes)}</span></h2>\n'
    if message.reasoning:
        yield f"<details><summary>{_('Reasoning')}</summary>{_typed(message.reasoning)}</details>\n"
    if turn.documents:
        yield f'<p class="note">{escape(documents_note(turn))}</p>'
    yield to_html(message.content) if message.role == "assistant" else _typed(message.content)
    if said := " · ".join(filter(None, [usage_note(message.generation), feedback_note(turn)])):
        yield f'<p class="note">{escape(said)}</p>'
    yield "</section>\n"


def _typed(text: str) -> str:
    return f'<div class="typed">{escape(text, quote=False)}</div>'


def _tag() -> str:
    return {"zh-hans": "zh-Hans"}.get(get_language() or "en", get_language() or "en")
