"""A Redis of a test's own, to be killed."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import redis

from tests.support.ports import free_port
from tests.support.waiting import PATIENCE_S


class Server:
    """A redis-server that keeps nothing on disk."""

    def __init__(self, folder: Path) -> None:
        self.port, self.folder = free_port(), folder

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self, *options: str) -> None:
        command = ["redis-server", "--port", str(self.port), "--save", "", "--dir", str(self.folder)]
        self.process = subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL)

    def wait(self, url: str) -> None:
        """Until it answers whoever comes by this address."""
        until = time.monotonic() + PATIENCE_S
        with redis.Redis.from_url(url) as client:
            while True:
                try:
                    client.ping()
                    return
                except redis.ConnectionError:
                    if time.monotonic() > until:
                        raise
                    time.sleep(0.05)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
