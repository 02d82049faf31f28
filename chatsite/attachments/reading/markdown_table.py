"""Tables of documents as Markdown. Pure."""

from __future__ import annotations

from collections.abc import Sequence

MAX_SPAN = 1_000
"""Columns that one cell may cover, as in the HTML standard."""


class SpannedRows:
    """Rows of a table as they are read: what covers several cells stands in the first of them, once."""

    def __init__(self) -> None:
        self._rows: list[list[Sequence[Block]]] = []
        self._covered: dict[int, int] = {}
        """Column -> how many rows more a cell above reaches down there."""

    def begin_row(self) -> None:
        self._rows.append([])

    def add(self, blocks: Sequence[Block], columns: int = 1, rows: int = 1) -> None:
        """The next cell with its paragraphs and tables, `columns` wide and `rows` high."""
        if not self._rows:
            self.begin_row()
        self._leave_covered()
        row, columns = self._rows[-1], max(1, min(columns, MAX_SPAN))
        for column in range(len(row), len(row) + columns):
            if rows > 1:
                self._covered[column] = rows - 1
        row += [blocks, *[()] * (columns - 1)]

    def _leave_covered(self) -> None:
        row = self._rows[-1]
        while left := self._covered.pop(len(row), 0):
            if left > 1:
                self._covered[len(row)] = left - 1
            row.append(())

    def as_markdown(self) -> str:
        """A table, its first row as the head. A single column is a frame around paragraphs, and none."""
        rows = [row for row in self._rows if row]
        width = max(map(len, rows), default=0)
        if width == 1:
            return join_blocks([block for row in rows for block in row[0]])
        cells = [[_cell(row[column]) if column < len(row) else "" for column in range(width)] for row in rows]
        if not any(map(any, cells)):
            return ""
        lines = ["| " + " | ".join(row) + " |" for row in cells]
        return "\n".join([lines[0], "|" + " --- |" * width, *lines[1:]])

    def as_line(self) -> str:
        """In the cell of another table, where Markdown has no table: cells by commas, rows by semicolons."""
        rows = (", ".join(filter(None, map(_line, row))) for row in self._rows)
        return "; ".join(filter(None, rows))


Block = str | SpannedRows
"""A paragraph in Markdown, or a table."""


def join_blocks(blocks: Sequence[Block]) -> str:
    """One below the other."""
    texts = (block if isinstance(block, str) else block.as_markdown() for block in blocks)
    return "\n\n".join(filter(None, texts))


def _line(blocks: Sequence[Block]) -> str:
    texts = (block if isinstance(block, str) else block.as_line() for block in blocks)
    return " ".join(" ".join(texts).split())


def _cell(blocks: Sequence[Block]) -> str:
    return _line(blocks).replace("|", "\\|")
