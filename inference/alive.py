"""`python -m inference.alive`: health check of the inference process beside it. Exits with 0 while it lives.

For containers and monitors of `manage.py inference_worker`, which has no pages: it asks the process itself,
owner or standby, and nobody else, so that a Redis that is away restarts nothing. Without Django, since it
runs every few seconds.
"""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request

TIMEOUT_S = 5.0
"""For the process to answer: a frozen one never does."""

DEFAULT_PORT = 8001
"""Of CHATSITE_METRICS_PORT."""


def address(host: str, port: str) -> str:
    """Where the process answers on this machine."""
    if host in ("", "0.0.0.0", "::"):  # noqa: S104 - compared, not listened on  # nosec
        host = "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{port or DEFAULT_PORT}/healthz"


def main() -> int:
    """The exit code; what is wrong goes to standard error."""
    host, port = (os.environ.get(name, "").strip("[] ") for name in ("HOST", "CHATSITE_METRICS_PORT"))
    url = address(host, port)
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=TIMEOUT_S) as answer:
            print(answer.read().decode().strip())
    except (OSError, ValueError) as error:
        print(f"{url} does not answer: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
