"""A real `vllm serve` with the embedded model, arguments and variables as measured for the engine host."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from inference.engines.vllm.engine import host_environment
from inference.engines.vllm.settings import read_settings
from inference.model_store.demo_models import ROOT, SMOLLM2, demo_path
from tests.support.waiting import PATIENCE_S

START_S = 300
"""Half a minute alone on two cores; a busy machine takes several times that."""

WORKER = "inference.engines.vllm.host.cpu_worker.SeededCPUWorker"


class VllmServer:
    """One server in a session of its own, on a free port of this machine alone."""

    def __init__(self, models_dir: Path) -> None:
        self.settings = read_settings({}, models_dir, "cpu")
        self._model = demo_path(SMOLLM2, models_dir)
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it and wait until it answers. It ends with the thread that calls this (see parent_death)."""
        self._folder = tempfile.TemporaryDirectory(prefix="chatsite-remote-")
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        log = Path(self._folder.name, "log")
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "tests.inference.serve_vllm",
                    str(os.getpid()),
                    *self._arguments(port),
                ],
                cwd=ROOT,
                env=host_environment(os.environ, self.settings, self._folder.name),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_S
        while not self._answers():
            assert self._process.poll() is None, log.read_text()[-4000:]
            assert time.monotonic() < deadline, log.read_text()[-4000:]
            time.sleep(0.2)

    def kill(self) -> None:
        """SIGKILL to everything that it started."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", trust_env=False, timeout=PATIENCE_S).status_code == 200
        except httpx.HTTPError:
            return False

    def _arguments(self, port: int) -> list[str]:
        settings = self.settings
        return [
            *("--model", str(self._model), "--served-model-name", SMOLLM2.name),
            *("--host", "127.0.0.1", "--port", str(port), "--disable-uvicorn-access-log"),
            *("--max-num-seqs", str(settings.max_num_seqs)),
            *("--max-num-batched-tokens", str(settings.max_num_batched_tokens)),
            *("--scheduling-policy", "priority", "--enable-prefix-caching", "--enforce-eager"),
            *("--enable-prompt-tokens-details", "--enable-tokenizer-info-endpoint"),
            *("--worker-cls", WORKER),
        ]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
