"""The process that reads one document: `python -I -m …child <path> <limits as JSON>`, one JSON line out.

It limits itself before it looks at the file: address space, processor time, size of what it writes, no
threads or child processes (which the kernel does not hold root to), and an alarm on the clock that holds even
when its parent is gone. What comes out is
`{"kind", "pages", "text"}` or `{"reason", "figures"}`; a death without a line is for the parent to explain.
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chatsite.attachments.reading.limits import Limits
from chatsite.attachments.reading.plain import read_text
from chatsite.attachments.reading.sniff import HEAD_BYTES, sniff
from chatsite.attachments.reading.unreadable import UnreadableError

NICENESS = 10
"""Readers of answers come first: a document may take a little longer."""

UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
"""What no prompt may hold (generations/content.py): broken fonts and old printers' codes leave it behind."""


def main() -> None:
    path, limits = Path(sys.argv[1]), Limits(**json.loads(sys.argv[2]))
    confine(limits)
    try:
        found: dict[str, Any] = read(path, limits)
    except UnreadableError as error:
        found = {"reason": error.reason, "figures": error.figures}
    except (MemoryError, RecursionError):
        found = {"reason": "memory", "figures": {}}
    sys.stdout.write(json.dumps(found))


def confine(limits: Limits) -> None:
    """From here on this process can cost no more than that."""
    memory = limits.memory_mb * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (limits.seconds, limits.seconds + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits.output_bytes, limits.output_bytes))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(NICENESS)
    signal.alarm(int(limits.wall_s))


def read(path: Path, limits: Limits) -> dict[str, Any]:
    """Kind, pages and text of the document. Raises UnreadableError."""
    with path.open("rb") as file:
        kind = sniff(file.read(HEAD_BYTES))
    pages = None
    if kind == "pdf":
        from chatsite.attachments.reading.pdf import read_pdf

        pages, texts = read_pdf(path, limits)
        text = _joined(texts, limits)
    elif kind == "docx":
        from chatsite.attachments.reading.docx import read_docx

        text = _joined(read_docx(path, limits), limits)
    else:
        text = read_text(path, limits)
    text = UNFIT.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    if len(text) > limits.chars:
        raise UnreadableError("chars", most=limits.chars)
    if not text.strip():
        raise UnreadableError("scan" if kind == "pdf" else "empty")
    return {"kind": kind, "pages": pages, "text": text}


def _joined(texts: Iterator[str], limits: Limits) -> str:
    """All of them, as long as they keep within the limit: it is reached before memory is full."""
    kept, chars = [], 0
    for text in texts:
        chars += len(text) + 2
        if chars > limits.chars:
            raise UnreadableError("chars", most=limits.chars)
        kept.append(text.strip())
    return "\n\n".join(filter(None, kept))


if __name__ == "__main__":
    main()
