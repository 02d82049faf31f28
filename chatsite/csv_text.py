"""CSV that spreadsheets show as it was written: the one writer of every table that people save."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable

EXCEL_MARK = "\ufeff"
"""Begins a file: without a byte order mark Excel takes UTF-8 for the system's old encoding."""

FORMULA = tuple("=+-@＝＋－＠")
"""A cell that begins like this is computed, in East Asia by wide signs too (OWASP, CSV injection)."""


def csv_rows(rows: Iterable[Iterable[object]]) -> str:
    """Rows by RFC 4180. Texts that a spreadsheet would compute begin with an apostrophe, which says: text."""
    file = io.StringIO()
    csv.writer(file).writerows([_cell(value) for value in row] for row in rows)
    return file.getvalue()


def _cell(value: object) -> object:
    """Numbers stay numbers. Blanks before a sign hide it from the eye alone."""
    if not isinstance(value, str) or not value:
        return value
    computed = value.lstrip().startswith(FORMULA) or unicodedata.category(value[0]) == "Cc"
    return f"'{value}" if computed else value
