"""Bare vLLM: AsyncLLM in a process of its own, started as the engine host does, driven one task a request.

Speaks JSON lines: a list of `Job` in, a list of `Done` out; an empty line of output says that it is ready.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Any

import msgspec

from bench.results import ROOT, BenchmarkError


class Job(msgspec.Struct, frozen=True):
    """One request: a single user message, greedy."""

    content: str
    max_tokens: int


class Done(msgspec.Struct, frozen=True):
    """What became of it; perf_counter seconds."""

    added: float
    first: float
    finished: float
    tokens: int


async def answer(engine: Any, number: int, job: Job) -> Done:
    """One request as vLLM's documentation has it: render, generate, iterate."""
    from vllm.renderers import ChatParams
    from vllm.sampling_params import RequestOutputKind, SamplingParams

    added = perf_counter()
    first, tokens = 0.0, 0
    chat = ChatParams(chat_template_kwargs={"add_generation_prompt": True})
    messages = [{"role": "user", "content": job.content}]
    _, (prompt,) = await engine.renderer.render_chat_async([messages], chat)
    params = SamplingParams(temperature=0, max_tokens=job.max_tokens, output_kind=RequestOutputKind.DELTA)
    async for output in engine.generate(prompt, params, f"bare-{number}-{added}"):
        tokens += len(output.outputs[0].token_ids)
        if not first and output.outputs[0].text:
            first = perf_counter()
    return Done(added, first, perf_counter(), tokens)


async def serve(data_dir: Path) -> None:
    """Build the engine, then answer each line of jobs with a line of results."""
    from vllm.v1.engine.async_llm import AsyncLLM

    from inference.engine_host.arguments import engine_arguments
    from inference.engine_settings import read_settings
    from inference.model_store.embedded import embedded_path

    settings = read_settings(os.environ, data_dir)
    if settings.model.kind == "embedded":
        model = msgspec.structs.replace(settings.model, location=str(embedded_path(data_dir)))
        settings = msgspec.structs.replace(settings, model=model)
    engine = AsyncLLM.from_engine_args(engine_arguments(settings))
    loop = asyncio.get_running_loop()
    out = os.fdopen(int(sys.argv[2]), "wb", buffering=0)
    out.write(b"\n")
    while line := await loop.run_in_executor(None, sys.stdin.buffer.readline):
        jobs = msgspec.json.decode(line, type=list[Job])
        done = await asyncio.gather(*(answer(engine, n, job) for n, job in enumerate(jobs)))
        out.write(msgspec.json.encode(done) + b"\n")
    engine.shutdown()


class BareVllm:
    """The other end: `with BareVllm(data_dir) as bare: bare.run(jobs)`. Raises BenchmarkError."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._folder = tempfile.TemporaryDirectory(prefix="chatsite-bare-")

    def __enter__(self) -> BareVllm:
        from inference.engine_settings import read_settings
        from inference.engines.vllm import host_environment

        settings = read_settings(os.environ, self._data_dir)
        # A pipe of its own for results: vLLM writes to standard output as it likes.
        read_fd, write_fd = os.pipe()
        self._log = (self._data_dir / "bare.log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.bare_vllm", str(self._data_dir), str(write_fd)],
            cwd=ROOT,
            env=host_environment(os.environ, settings, self._folder.name),
            stdin=subprocess.PIPE, stdout=self._log, stderr=self._log, pass_fds=(write_fd,),
            start_new_session=True,
        )  # fmt: skip
        os.close(write_fd)
        self._results = os.fdopen(read_fd, "rb")
        self._line()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._results.close()
        self._log.close()
        self._folder.cleanup()

    def run(self, jobs: list[Job]) -> list[Done]:
        """All jobs at once."""
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(jobs) + b"\n")
        self._process.stdin.flush()
        return msgspec.json.decode(self._line(), type=list[Done])

    def _line(self) -> bytes:
        line = self._results.readline()
        if not line:
            tail = (self._data_dir / "bare.log").read_text(errors="replace")[-2000:]
            raise BenchmarkError(f"bare vLLM ended:\n{tail}")
        return line


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
