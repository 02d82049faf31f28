"""Forward what the engine host prints to this process's log, line by line."""

from __future__ import annotations

import asyncio
import logging
from collections import deque

logger = logging.getLogger(__name__)

KEPT_LINES = 40
"""The last lines of the host's log, to explain a failure."""

CHUNK_BYTES = 65_536
"""Read at once: the capacity of a Linux pipe."""

LINE_BYTES = 8_192
"""Kept of one line: a traceback's lines are far shorter, a printed prompt or tensor has no bound."""

CUT = " … (cut)"


class HostLog:
    """Reads the host's output to its end. Long lines are cut but read: a full pipe would block the host."""

    def __init__(self) -> None:
        self.last_lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._line = bytearray()
        self._cut = False

    @property
    def pending_bytes(self) -> int:
        """Bytes held of the unfinished line."""
        return len(self._line)

    async def read(self, stream: asyncio.StreamReader) -> None:
        """Read until the stream ends."""
        while chunk := await stream.read(CHUNK_BYTES):
            *whole, rest = chunk.split(b"\n")
            for part in whole:
                self._add(part)
                self._end_line()
            self._add(rest)
        if self._line:
            self._end_line()

    def _add(self, part: bytes) -> None:
        room = LINE_BYTES - len(self._line)
        self._cut = self._cut or len(part) > room
        self._line += part[:room]

    def _end_line(self) -> None:
        line = self._line.decode(errors="replace").rstrip() + (CUT if self._cut else "")
        self._line.clear()
        self._cut = False
        self.last_lines.append(line)
        logger.log(logging.ERROR if "ERROR" in line else logging.DEBUG, "%s", line)
