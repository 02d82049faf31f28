"""Run pip in a process that dies with its parent.

    python -m inference.model_store.pip_process PARENT_PID ARGUMENT…

The kernel keeps that setting over exec, so pip itself needs none.
"""

from __future__ import annotations

import os
import sys

from inference.parent_death import die_with_parent

if __name__ == "__main__":
    die_with_parent(int(sys.argv[1]))
    os.execv(sys.executable, [sys.executable, "-m", "pip", *sys.argv[2:]])  # noqa: S606  # nosec B606
