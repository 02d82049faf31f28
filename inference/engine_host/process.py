"""Entry point of the engine host's process.

    python -m inference.engine_host.process SOCKET_FD PARENT_PID SETTINGS_JSON

A module of its own and not `__main__`, because of vLLM's EngineCore: multiprocessing imports the parent's
main module into each process that it spawns, as `__mp_main__` and before anything else, but leaves out
those that are named `__main__`. That is where EngineCore asks the kernel to end it with this process:
vLLM sets no such thing, and a killed host would leave EngineCore behind with all of its memory.
"""

from __future__ import annotations

import multiprocessing
import socket
import sys

from inference.parent_death import die_with_parent


def main(socket_fd: int, parent_pid: int, settings_json: str) -> int:
    """Run the engine host until it is closed; the exit code is 0 only then."""
    die_with_parent(parent_pid)
    connection = socket.socket(fileno=socket_fd)
    connection.set_inheritable(False)
    from inference.engine_host.start import start

    return start(connection, settings_json)


if __name__ == "__mp_main__":
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid is not None:
        die_with_parent(parent.pid)

if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
