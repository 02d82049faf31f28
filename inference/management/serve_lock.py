"""The lock of `manage.py serve`: one on a data directory, and the next one is told where it runs."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO

from chatsite.environment.declared import ConfigurationError

NAME = "serve.lock"


def check_unserved(data_dir: Path) -> None:
    """Raises ConfigurationError where a `serve` runs on this directory. Creates nothing."""
    try:
        with (data_dir / NAME).open() as file:
            _lock(file, data_dir, fcntl.LOCK_SH)
    except (FileNotFoundError, NotADirectoryError):
        return


def lock_data_dir(data_dir: Path, address: str) -> IO[str]:
    """The open file that holds the lock until this process ends. Raises ConfigurationError."""
    file = (data_dir / NAME).open("a+")
    try:
        _lock(file, data_dir, fcntl.LOCK_EX)
    except ConfigurationError:
        file.close()
        raise
    file.truncate(0)
    file.write(f"{address} (process {os.getpid()})")
    file.flush()
    return file


def _lock(file: IO[str], data_dir: Path, how: int) -> None:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        where = file.read().strip()
        raise ConfigurationError(
            f"CHATSITE_DATA_DIR={str(data_dir)!r}: another `manage.py serve` runs on it"
            f"{where and f', at {where}'}. Stop that one, or give this one a directory of its own."
        ) from None
