"""All results of a batch as one file: Markdown to read, JSON and CSV to go on with. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from chatsite.csv_text import EXCEL_MARK, csv_rows

COLUMNS = ("document", "status", "answer", "error")


@dataclass(frozen=True)
class BatchResult:
    """One document: how it stands, its answer as far as there is one, and what went wrong where it did."""

    document: str
    status: str
    answer: str
    error: str


def as_markdown(instruction: str, results: Sequence[BatchResult]) -> str:
    """A heading for each document. Answers are Markdown themselves, and stand as they are."""
    parts = [f"> {line}" for line in instruction.splitlines()]
    text = "\n".join(parts) + "\n"
    for number, result in enumerate(results, 1):
        text += f"\n# {number}. {_line(result.document)}\n\n"
        if result.status != "finished":
            text += f"*{_line(result.error or result.status)}*\n\n"
        if result.answer:
            text += result.answer.strip() + "\n"
    return text


def as_json(instruction: str, results: Sequence[BatchResult]) -> str:
    """`{"instruction", "results": [{"document", "status", "answer", "error"}]}`."""
    content = {"instruction": instruction, "results": [asdict(result) for result in results]}
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def as_csv(_instruction: str, results: Sequence[BatchResult]) -> str:
    """A row for each document, for spreadsheets."""
    rows = ((result.document, result.status, result.answer, result.error) for result in results)
    return EXCEL_MARK + csv_rows([COLUMNS, *rows])


def _line(text: str) -> str:
    return " ".join(text.split())
