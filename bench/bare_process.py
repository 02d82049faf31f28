"""A bare engine as a child process: lists of jobs go in as JSON lines, lists of results come out."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Generic, Self, TypeVar

import msgspec

from bench.results import ROOT
from tests.support.errors import BenchmarkError

Job = TypeVar("Job")
Done = TypeVar("Done")

LOG_TAIL = 2_000
"""Characters of its log that tell why a child ended."""


class BareProcess(Generic[Job, Done]):
    """The parent's end: `with BareProcess(…) as bare: bare.run(jobs)`. BenchmarkError if the child ends.

    `module` is run with `folder` and the descriptor that results go to. `end_s`: how long it may take to end.
    """

    def __init__(
        self,
        module: str,
        folder: Path,
        log: Path,
        environment: Mapping[str, str],
        done: type[Done],
        *,
        end_s: float,
    ) -> None:
        self._module = module
        self._folder = folder
        self._log_path = log
        self._environment = environment
        self._done = done
        self._end_s = end_s

    def __enter__(self) -> Self:
        # A pipe of its own for results: libraries write to standard output as they like.
        read_fd, write_fd = os.pipe()
        self._log = self._log_path.open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", self._module, str(self._folder), str(write_fd)],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.PIPE, stdout=self._log, stderr=self._log, pass_fds=(write_fd,),
            start_new_session=True,
        )  # fmt: skip
        os.close(write_fd)
        self._results = os.fdopen(read_fd, "rb")
        self._line()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=self._end_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._results.close()
        self._log.close()

    def run(self, jobs: list[Job]) -> list[Done]:
        """Hand all jobs over, and wait until all are done."""
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(jobs) + b"\n")
        self._process.stdin.flush()
        return [msgspec.convert(one, self._done) for one in msgspec.json.decode(self._line())]

    def _line(self) -> bytes:
        line = self._results.readline()
        if not line:
            tail = self._log_path.read_text(errors="replace")[-LOG_TAIL:]
            raise BenchmarkError(f"{self._module} ended:\n{tail}")
        return line
