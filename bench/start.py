"""How long a newcomer waits: from `make run` to a page, and to the first token of the real model.

The first run prepares the embedded model; later ones find it. Installation is not part of it. Sign-in
goes through the page's form, the question through the socket, asked as soon as the engine is ready.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import monotonic

from bench.client import Person
from bench.results import Result
from bench.site import HOST, Site, embedded

LATER_RUNS = 3
FULL_LATER_RUNS = 10
ANSWER_TIMEOUT_S = 60
QUESTION = "Say hello in one short sentence."


@dataclass(frozen=True)
class Start:
    """Seconds since the command: the sign-in page answers, the engine is ready, first text is here."""

    page_s: float
    ready_s: float
    first_token_s: float


def command() -> tuple[str, ...]:
    """`make run` in the environment that runs this, where make installed it; else the command behind it."""
    prefix = Path(sys.prefix)
    if any((prefix / stamp).exists() for stamp in (".synced-dev", ".synced-cpu", ".synced-gpu")):
        return ("make", "--no-print-directory", "run", f"VENV={os.path.relpath(prefix)}")
    return (sys.executable, "manage.py", "serve")


async def first_text(site: Site, cookie: str) -> float:
    """Ask, and give the monotonic time of the first text."""
    person = Person(0, HOST, site.port, cookie)
    await person.connect()
    stream = await asyncio.wait_for(person.ask(QUESTION, max_tokens=8), ANSWER_TIMEOUT_S)
    person.close()
    # perf_counter and monotonic are one clock on Linux; only the difference to the start is used.
    return stream.arrivals[0][0] if stream.arrivals else monotonic() + float("inf")


def once(data_dir: Path) -> Start:
    """One start on this data directory, to the first token and down again."""
    with embedded({"CHATSITE_ENGINE": "vllm"}, data_dir, command()) as site:
        page_s = site.wait("/")
        cookie = site.sign_in()
        ready_s = site.wait("/readyz")
        token_at = asyncio.run(first_text(site, cookie))
        return Start(page_s, ready_s, token_at - site.started)


def run(full: bool) -> Result:
    """One first run, then three later runs (the full form: ten); medians of the later ones."""
    with tempfile.TemporaryDirectory(prefix="chatsite-bench-") as folder:
        first = once(Path(folder))
        later = [once(Path(folder)) for _ in range(FULL_LATER_RUNS if full else LATER_RUNS)]
    columns = ("run", "page s", "engine ready s", "first token s")
    return Result(
        name="start",
        engine="vllm",
        full=full,
        settings={"command": " ".join(command()[:2] if command()[0] == "make" else ("manage.py", "serve"))},
        summary={
            "page_s": median(start.page_s for start in later),
            "first_token_s": median(start.first_token_s for start in later),
            "first_run_page_s": first.page_s,
            "first_run_first_token_s": first.first_token_s,
        },
        columns=columns,
        rows=[
            ["first", first.page_s, first.ready_s, first.first_token_s],
            *(["later", start.page_s, start.ready_s, start.first_token_s] for start in later),
        ],
        samples={"first": vars(first), "later": [vars(start) for start in later]},
        notes=["The question is sent when /readyz says ready; the page itself takes it earlier."],
    )
