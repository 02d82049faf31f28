"""Make a child process die with its parent, even when the parent is killed with SIGKILL.

Linux sends the signal chosen by PR_SET_PDEATHSIG when the *thread* that started the child ends
(prctl(2)), so children are started from a thread that lives as long as they should: the event
loop's. The setting survives exec but not fork, so each process asks for itself.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
"""From <linux/prctl.h>."""


def die_with_parent(parent_pid: int) -> None:
    """Have the kernel kill this process when the parent ends; exit now if it already has.

    `parent_pid` is who started this process, as that one knows itself: a parent that died before
    this call has been replaced, and nobody would ever send the signal.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"prctl(PR_SET_PDEATHSIG) failed: {os.strerror(code)}")
    if os.getppid() != parent_pid:
        os._exit(1)
