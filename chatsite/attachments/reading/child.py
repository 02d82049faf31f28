"""The process that reads one document: `… <path> <limits as JSON> <encoding>`, one JSON line out.

It limits itself before it looks at the file: address space, processor time, size of what it writes, no
threads or child processes (which the kernel does not hold root to), and an alarm on the clock that holds even
when its parent is gone. What comes out is
an ExtractedDocument's fields or `{"reason", "figures"}`; a death without a line is for the parent to explain.
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from chatsite.attachments.reading.html import html_text, is_html
from chatsite.attachments.reading.limits import ReadLimits
from chatsite.attachments.reading.plain import read_text
from chatsite.attachments.reading.sniff import HEAD_BYTES, detect_kind
from chatsite.attachments.reading.unreadable import UnreadableError

NICENESS = 10
"""Readers of answers come first: a document may take a little longer."""

UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
"""What no prompt may hold (conversations/content.py): broken fonts and old printers' codes leave it."""

PARTING = re.compile("\r\n|[\r\x0b\x0c\x1c-\x1f\x85]")
"""Line and page ends of every age: words on both sides are two words."""


def main() -> None:
    path, limits = Path(sys.argv[1]), ReadLimits(**json.loads(sys.argv[2]))
    limit_process(limits)
    try:
        found: dict[str, Any] = read_in_child(path, limits, sys.argv[3])
    except UnreadableError as error:
        found = {"reason": error.reason, "figures": error.figures}
    except (MemoryError, RecursionError):
        found = {"reason": "memory", "figures": {}}
    sys.stdout.write(json.dumps(found))


def limit_process(limits: ReadLimits) -> None:
    """From here on this process can cost no more than that."""
    memory = limits.memory_mb * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (limits.seconds, limits.seconds + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits.output_bytes, limits.output_bytes))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(NICENESS)
    signal.alarm(int(limits.wall_s))


def read_in_child(path: Path, limits: ReadLimits, encoding: str = "") -> dict[str, Any]:
    """The fields of an ExtractedDocument. Raises UnreadableError."""
    with path.open("rb") as file:
        kind: str = detect_kind(file.read(HEAD_BYTES))
    pages, sparse, guessed = None, 0, ""
    if kind == "pdf":
        from chatsite.attachments.reading.pdf import PdfText

        document = PdfText(path, limits)
        text = _joined(document, limits)
        pages, sparse = document.pages, document.sparse
    elif kind == "docx":
        from chatsite.attachments.reading.docx.document import read_docx

        text = _joined(read_docx(path, limits), limits)
    else:
        decoded = read_text(path, limits, encoding)
        text, guessed = decoded.text, decoded.encoding
        if is_html(text):
            kind, text = "html", html_text(text)
    text = UNFIT.sub("", PARTING.sub("\n", text))
    if len(text) > limits.chars:
        raise UnreadableError("chars", most=limits.chars)
    if not text.strip():
        raise UnreadableError("scan" if kind == "pdf" else "empty")
    return {"kind": kind, "pages": pages, "sparse_pages": sparse, "encoding": guessed, "text": text}


def _joined(texts: Iterable[str], limits: ReadLimits) -> str:
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
