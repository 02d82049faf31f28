"""A conversation as PDF, by WeasyPrint (the `pdf` extra), from the same HTML. Nothing is fetched.

Laying out a long document takes memory with its length (1.1 GB for a thousand messages), so it is laid out
in parts, each beginning a page, and put together.
"""

from __future__ import annotations

import logging
from io import BytesIO
from typing import Any, NoReturn

from chatsite.transfer.progress import ProgressCallback
from chatsite.transfer.render.html import html_document
from chatsite.transfer.render.outline import OutlineEntry, outline
from chatsite.transfer.render.wording import title_of
from chatsite.transfer.schema import ConversationRecord

PART_TURNS, PART_CHARS = 100, 200_000
"""A part ends at whichever comes first: about fifty pages and 150 MB."""


class PdfUnavailableError(Exception):
    """This machine cannot make PDFs; the message says what is missing."""


def render(record: ConversationRecord, tell: ProgressCallback) -> bytes:
    """The whole document. Raises PdfUnavailableError."""
    from pypdf import PdfReader, PdfWriter  # an eighth of a second that a start saves

    weasyprint = load()
    turns, whole = list(outline(record)), PdfWriter()
    for part in parts(turns) or [[]]:
        tell(part[0].number - 1 if part else 0, len(turns))
        text = "".join(html_document(record, part, opening=part == turns[: len(part)]))
        pages = f"@page :first {{ counter-increment: page {len(whole.pages) + 1} }}"
        made = weasyprint.HTML(string=text, url_fetcher=_refuse).write_pdf(
            stylesheets=[weasyprint.CSS(string=pages, url_fetcher=_refuse)]
        )
        whole.append(PdfReader(BytesIO(made)))
    whole.metadata = {"/Title": title_of(record)}
    file = BytesIO()
    whole.write(file)
    return file.getvalue()


def parts(turns: list[OutlineEntry]) -> list[list[OutlineEntry]]:
    """The turns cut into parts. A single huge turn is a part of its own."""
    found: list[list[OutlineEntry]] = []
    room = 0
    for turn in turns:
        size = len(turn.message.content) + len(turn.message.reasoning)
        if not found or len(found[-1]) == PART_TURNS or room < size:
            found.append([])
            room = PART_CHARS
        found[-1].append(turn)
        room -= size
    return found


def load() -> Any:
    """WeasyPrint. The import is slow, and fails where Pango is missing. Raises PdfUnavailableError."""
    try:
        import weasyprint
    except ImportError as error:
        raise PdfUnavailableError(
            "PDF export needs WeasyPrint: install the `pdf` extra (every lock in requirements/ has it)."
        ) from error
    except OSError as error:
        raise PdfUnavailableError(
            f"PDF export needs the system's Pango ({error}). On Debian: apt install libpango-1.0-0 "
            "libpangoft2-1.0-0 fonts-noto-cjk."
        ) from error
    # It logs every page that it lays out, and every rule that is for screens.
    for name in ("weasyprint", "weasyprint.progress", "fontTools"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return weasyprint


def _refuse(url: str, *args: object, **kwargs: object) -> NoReturn:
    raise ValueError(f"{url}: an export fetches nothing.")
