"""DOCX: paragraphs, headings, lists and tables in their order, as Markdown, by python-docx."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import docx
from docx.document import Document
from docx.table import Table
from docx.text.paragraph import Paragraph

from chatsite.attachments.reading.limits import Limits
from chatsite.attachments.reading.unreadable import UnreadableError

BODY = "word/document.xml"

MAX_PARTS = 5_000
"""Files in one document; a picture is one."""

MAX_RATIO = 200
"""A document's XML shrinks to a tenth or a twentieth; beyond this it was made to burst."""

MEGABYTE = 1024 * 1024

BURST_FROM_BYTES = 16 * MEGABYTE
"""Below this no ratio hurts."""


def read_docx(path: Path, limits: Limits) -> Iterator[str]:
    """Its blocks, one after the other. Raises UnreadableError, now or while iterating."""
    _check_archive(path, limits)
    try:
        document = docx.Document(str(path))
    except (MemoryError, RecursionError):
        raise
    except Exception as error:  # lxml, zipfile and python-docx each have their own
        raise UnreadableError("damaged") from error
    return _blocks(document)


def _check_archive(path: Path, limits: Limits) -> None:
    """What the archive says of itself; python-docx reads every part of it into memory."""
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
    # zipfile tells of an archive of a later version by NotImplementedError, of odd offsets by the others.
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise UnreadableError("damaged") from error
    if not any(part.filename == BODY for part in parts):
        raise UnreadableError("archive")
    unpacked, packed = sum(part.file_size for part in parts), max(1, path.stat().st_size)
    most = limits.memory_mb // 2 * MEGABYTE
    if unpacked > BURST_FROM_BYTES and unpacked / packed > MAX_RATIO:
        most = min(most, packed * MAX_RATIO)
    if unpacked > most or len(parts) > MAX_PARTS:
        raise UnreadableError("burst", found=unpacked // MEGABYTE, most=most // MEGABYTE)


def _blocks(document: Document) -> Iterator[str]:
    try:
        for block in document.iter_inner_content():
            yield _table(block) if isinstance(block, Table) else _paragraph(block)
    except (MemoryError, RecursionError):
        raise
    except Exception as error:
        raise UnreadableError("damaged") from error


def _paragraph(block: Paragraph) -> str:
    style = (block.style.name or "") if block.style else ""
    if not block.text.strip():
        return ""
    if style == "Title":
        return f"# {block.text}"
    if style.startswith("Heading "):
        level = style.removeprefix("Heading ")
        return f"{'#' * min(6, int(level))} {block.text}" if level.isdigit() else block.text
    return f"- {block.text}" if style.startswith("List") else block.text


def _table(block: Table) -> str:
    rows = [[" ".join(cell.text.split()) for cell in row.cells] for row in block.rows]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    if rows:
        lines.insert(1, "|" + " --- |" * len(rows[0]))
    return "\n".join(lines)
