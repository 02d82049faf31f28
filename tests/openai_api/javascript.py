"""Running JavaScript with the official client, where a folder has it installed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.support.services import NODE_MODULES
from tests.support.site import Site
from tests.support.waiting import PATIENCE_S


def run(site: Site, key: str, *command: str, cwd: Path | None = None, **environment: str) -> str:
    """The command's output, with the client's own variables set. Fails with its complaint."""
    variables = os.environ | {
        "OPENAI_BASE_URL": f"{site.url}/v1", "OPENAI_API_KEY": key, "NO_PROXY": "*", **environment,
    }  # fmt: skip
    done = subprocess.run(
        command, env=variables, cwd=cwd, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_module(site: Site, key: str, code: str, **environment: str) -> str:
    """Code that imports `openai`: Node looks for it beside the file."""
    place = Path(NODE_MODULES) / f"module-{os.getpid()}.mjs"
    place.write_text(code, encoding="utf-8")
    try:
        return run(site, key, "node", str(place), cwd=Path(NODE_MODULES), **environment)
    finally:
        place.unlink()


def run_suite(site: Site, key: str, model: str) -> str:
    """The contract, in `suite.mjs`."""
    suite = Path(__file__).with_name("suite.mjs").read_text(encoding="utf-8")
    return run_module(site, key, suite, MODEL=model)
