"""PDF: the text of each page, by pypdf."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pypdf import PdfReader

from chatsite.attachments.reading.limits import Limits
from chatsite.attachments.reading.unreadable import UnreadableError


def read_pdf(path: Path, limits: Limits) -> tuple[int, Iterator[str]]:
    """How many pages, and their texts as they are read. Raises UnreadableError, now or while iterating."""
    try:
        reader = PdfReader(path)
        if reader.is_encrypted and not reader.decrypt(""):
            raise UnreadableError("locked")
        pages = len(reader.pages)
    except UnreadableError:
        raise
    except (MemoryError, RecursionError):
        raise
    except Exception as error:
        raise UnreadableError("damaged") from error
    if pages > limits.pages:
        raise UnreadableError("pages", found=pages, most=limits.pages)
    return pages, _texts(reader)


def _texts(reader: PdfReader) -> Iterator[str]:
    try:
        for page in reader.pages:
            yield page.extract_text()
    except (MemoryError, RecursionError):
        raise
    except Exception as error:  # pypdf meets broken files with whatever Python makes of them
        raise UnreadableError("damaged") from error
