"""The beginning of a file that is being downloaded, which another try or another source goes on with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def file_size(path: Path) -> int:
    """Bytes of the file; 0 where there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


@contextmanager
def continued(path: Path, begin: int) -> Iterator[BinaryIO]:
    """The file, open for what comes after its first `begin` bytes; all behind them is cut off."""
    with path.open("ab+") as file:
        file.truncate(begin)
        yield file
