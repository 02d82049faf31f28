"""Entry point of the engine host's process: dies with its parent, then builds and serves the engine.

    python -m inference.engines.vllm.host.process SOCKET_FD PARENT_PID SETTINGS_JSON

A module of its own and not `__main__`, because of vLLM's EngineCore: multiprocessing imports the parent's
main module into each process that it spawns, as `__mp_main__` and before anything else, but leaves out
those that are named `__main__`. That is where EngineCore asks the kernel to end it with this process:
vLLM sets no such thing, and a killed host would leave EngineCore behind with all of its memory.
"""

from __future__ import annotations

import os
import socket
import sys

from inference.parent_death import die_with_parent


def main(socket_fd: int, parent_pid: int, settings_json: str) -> int:
    """Run the engine host until it is closed; the exit code is 0 only then."""
    die_with_parent(parent_pid)
    connection = socket.socket(fileno=socket_fd)
    connection.set_inheritable(False)
    from inference.engines.vllm.host.start import build_and_serve

    return build_and_serve(connection, settings_json)


def die_with_host() -> None:
    """Make a process that vLLM spawned die with its parent, and now if the host is already gone.

    multiprocessing does not tell the parent's id at this early moment, and whoever adopts orphans may be
    the parent by now; the host leads the session, so its id is known and must still be somebody's.
    """
    die_with_parent(os.getppid())
    try:
        os.kill(os.getsid(0), 0)
    except ProcessLookupError:
        os._exit(1)


if __name__ == "__mp_main__":
    die_with_host()

if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
