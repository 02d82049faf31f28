"""How long a newcomer waits: from `make run` to a page, and to the first token of the real model.

The first run prepares the embedded model; later ones find it. Installation is not part of it. Sign-in
goes through the page's form, the question through the socket, asked as soon as the engine is ready. The full
form does the same with Qwen, whose file is downloaded, and tells each step of its preparation.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from time import monotonic, sleep

import httpx

from bench.results import Result
from tests.support.chat_client import Person
from tests.support.errors import BenchmarkError
from tests.support.site import HOST, Site, embedded

LATER_RUNS = 3
FULL_LATER_RUNS = 10
ANSWER_TIMEOUT_S = 60
READY_TIMEOUT_S = 900
"""A download is among its steps."""

POLL_S = 0.1
OK = 200
FIGURES = re.compile(r": \d+ of .*|, \d+ (?:s|min) left")
QUESTION = "Say hello in one short sentence."


@dataclass(frozen=True)
class Start:
    """Seconds since the command: the sign-in page answers, the engine is ready, first text is here."""

    page_s: float
    ready_s: float
    first_token_s: float
    steps: dict[str, float] = field(default_factory=dict)

    @property
    def download_s(self) -> float:
        """Of it, what the network decides."""
        return sum(seconds for step, seconds in self.steps.items() if step.startswith("Downloading"))


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


def steps_until_ready(site: Site) -> dict[str, float]:
    """Seconds of each step that the site tells while its engine starts, in order."""
    steps: dict[str, float] = {}
    with httpx.Client(base_url=site.url, trust_env=False, timeout=READY_TIMEOUT_S) as client:
        last = monotonic()
        while monotonic() - site.started < READY_TIMEOUT_S:
            answer = client.get("/readyz")
            now = monotonic()
            # "Downloading X from the hub: 3 of 491 MB (1%)", "Preparing X: reading the tokenizer, 9 s left"
            step = FIGURES.sub("", answer.json()["detail"]) or "before and after"
            steps[step] = steps.get(step, 0.0) + now - last
            last = now
            if answer.status_code == OK:
                return steps
            sleep(POLL_S)
    raise BenchmarkError(f"the engine was not ready within {READY_TIMEOUT_S} s: {answer.text}")


def once(data_dir: Path, model: str = "smollm2") -> Start:
    """One start on this data directory, to the first token and down again."""
    settings = {"CHATSITE_ENGINE": "vllm", "CHATSITE_DEMO_MODEL": model}
    with embedded(settings, data_dir, command()) as site:
        page_s = site.wait("/")
        cookie = site.sign_in()
        steps = steps_until_ready(site)
        ready_s = monotonic() - site.started
        token_at = asyncio.run(first_text(site, cookie))
        return Start(page_s, ready_s, token_at - site.started, steps)


def with_qwen() -> tuple[Start, Start]:
    """A first start that downloads and prepares Qwen, and a later one."""
    with tempfile.TemporaryDirectory(prefix="chatsite-bench-") as folder:
        return once(Path(folder), "qwen"), once(Path(folder), "qwen")


def run(full: bool) -> Result:
    """One first run, then three later runs (the full form: ten); medians of the later ones."""
    with tempfile.TemporaryDirectory(prefix="chatsite-bench-") as folder:
        first = once(Path(folder))
        later = [once(Path(folder)) for _ in range(FULL_LATER_RUNS if full else LATER_RUNS)]
    qwen = with_qwen() if full else ()
    samples = {"first": asdict(first), "later": [asdict(start) for start in later]}
    summary = {
        "page_s": median(start.page_s for start in later),
        "first_token_s": median(start.first_token_s for start in later),
        "first_run_page_s": first.page_s,
        "first_run_first_token_s": first.first_token_s,
    }
    if qwen:
        samples["qwen"] = [asdict(start) for start in qwen]
        summary |= {
            "qwen_first_run_page_s": qwen[0].page_s,
            "qwen_first_run_first_token_s": qwen[0].first_token_s,
            "qwen_download_s": qwen[0].download_s,
            "qwen_first_token_s": qwen[1].first_token_s,
        }
    columns = ("run", "page s", "engine ready s", "first token s")
    return Result(
        name="start",
        engine="vllm",
        full=full,
        settings={"command": " ".join(command()[:2] if command()[0] == "make" else ("manage.py", "serve"))},
        summary=summary,
        columns=columns,
        rows=[
            ["first", first.page_s, first.ready_s, first.first_token_s],
            *(["later", start.page_s, start.ready_s, start.first_token_s] for start in later),
            *(["Qwen", start.page_s, start.ready_s, start.first_token_s] for start in qwen),
        ],
        samples=samples,
        notes=[
            "The question is sent when /readyz says ready; the page itself takes it earlier.",
            *(f"Qwen, {step}: {seconds:.1f} s" for start in qwen for step, seconds in start.steps.items()),
        ],
    )
