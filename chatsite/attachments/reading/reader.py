"""From a stored file to its text, through a process that may die without hurting anybody."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import structlog

from chatsite.attachments.reading.limits import ReadLimits
from chatsite.attachments.reading.reader_slots import ReaderSlots
from chatsite.attachments.reading.unreadable import UnreadableError
from chatsite.environment import BASE_DIR

log = structlog.get_logger(__name__)

AT_ONCE = 2
"""Documents that one web process reads at once, of different people; the others wait."""

_slots = ReaderSlots(AT_ONCE)

CHILD = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from chatsite.attachments.reading.child import main; main()"
)
"""Isolated (-I) the interpreter looks into neither the working directory nor the environment."""


@dataclass(frozen=True)
class ExtractedDocument:
    """What a document says. `pages` where it has such; `sparse_pages` of them hold almost no text.

    `encoding` is a name of encodings.ENCODINGS where a text's own was guessed or chosen.
    """

    kind: str
    pages: int | None
    text: str
    sparse_pages: int = 0
    encoding: str = ""


def read_document(path: Path, limits: ReadLimits, owner: int, encoding: str = "") -> ExtractedDocument:
    """A document's text, in the chosen `encoding` where it is a text. Raises UnreadableError.

    Blocks until it is the owner's turn, then `limits.wall_s` seconds at most.
    """
    with _slots.taken_by(owner), tempfile.TemporaryFile() as output:
        code = _run(path, limits, encoding, output)
        output.seek(0)
        line = output.read(limits.output_bytes)
    try:
        found = json.loads(line)
    except ValueError:
        log.info("document_reader_died", code=code)
        raise _death(code, limits) from None
    if "reason" in found:
        raise UnreadableError(found["reason"], **found["figures"])
    return ExtractedDocument(**found)


def _run(path: Path, limits: ReadLimits, encoding: str, output: IO[bytes]) -> int:
    """The child's exit code; -SIGALRM where the clock ended it. It has no site environment."""
    child = subprocess.Popen(  # noqa: S603 - our own interpreter, a path that we made
        [sys.executable, "-I", "-c", CHILD, str(BASE_DIR), str(path), json.dumps(asdict(limits)), encoding],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.DEVNULL,
        env={"LC_ALL": "C.UTF-8"},
        cwd="/",
        start_new_session=True,
    )
    try:
        return child.wait(limits.wall_s)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        return -signal.SIGALRM


def _death(code: int, limits: ReadLimits) -> UnreadableError:
    if -code in (signal.SIGALRM, signal.SIGXCPU, signal.SIGKILL):
        return UnreadableError("time", most=limits.seconds)
    return UnreadableError("broke")
