"""`python -m bench <name> … [--full]`: run benchmarks by name; `all` runs the short form of every one."""

from __future__ import annotations

import argparse
import importlib
import signal
import sys

from bench.results import write
from tests.support.errors import BenchmarkError

BENCHMARKS = {
    "start": "from `make run` to a page and to a first token",
    "overhead": "real vLLM: bare engine against the site's socket",
    "burst": "a hundred people start a chat in the same second",
    "question": "processor time and SQL statements of one question, of `/v1/models` and of `/healthz`",
    "capacity": "how many streams one web process carries",
    "calibrate": "the emulated engine's timing model against real vLLM",
    "scheduling": "FIFO, strict classes and ours: same engine, slots and admission, only the order differs",
    "hundred_users": "the reference load: emulated card, and real vLLM against bare generate",
    "history": "lists, search, usage and console with a million messages, on both databases",
    "hostile_schemas": "real vLLM: two hundred schemas made to cost, beside running answers",
    "hostile": "ten members' questions alone and beside storms by one member or stranger",
    "stalled_provider": "others' requests while sixty strangers sign in at a provider that stalls",
    "failover": "fifty answers while a part of the site is killed, frozen, cut off or restarted",
    "import_beside": "others' questions while one member imports what is large",
    "page": "a long answer and a long conversation in a slowed browser",
}
"""Name → what it asks. Each is the module bench.<name> with `run(full) -> Result`."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="+", choices=[*BENCHMARKS, "all"], metavar="name",
                        help="; ".join(f"{name}: {what}" for name, what in BENCHMARKS.items()))  # fmt: skip
    parser.add_argument("--full", action="store_true", help="the long form")
    options = parser.parse_args()
    # An end asked for from outside goes the way of Ctrl-C, so that no site is left running.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    names = list(BENCHMARKS) if "all" in options.names else options.names
    failed = []
    for name in names:
        print(f"· {name}: {BENCHMARKS[name]}", file=sys.stderr, flush=True)
        try:
            write(importlib.import_module(f"bench.{name}").run(options.full))
        except BenchmarkError as error:
            failed.append(name)
            print(f"{name} gave no result: {error}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
