"""Bare vLLM: AsyncLLM in a process of its own, started as the engine host does, driven one task a request.

Speaks JSON lines: a list of `Job` in, a list of `Done` out; an empty line of output says that it is ready.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec

from bench.bare_process import BareProcess


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

    from inference.engines.vllm.host.arguments import engine_arguments
    from inference.engines.vllm.settings import read_settings
    from inference.model_store.demo_models import SMOLLM2, demo_path

    settings = read_settings(os.environ, data_dir)
    if settings.model.kind == "embedded":
        model = msgspec.structs.replace(settings.model, location=str(demo_path(SMOLLM2, data_dir)))
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


@contextmanager
def bare_vllm(data_dir: Path) -> Iterator[BareProcess[Job, Done]]:
    """The process of `bare_vllm`, on the site's model and settings. It does all its jobs at once."""
    from inference.engines.vllm.engine import host_environment
    from inference.engines.vllm.settings import read_settings

    settings = read_settings(os.environ, data_dir)
    with tempfile.TemporaryDirectory(prefix="chatsite-bare-") as folder:
        environment = host_environment(os.environ, settings, folder)
        log = data_dir / "bare.log"
        bare: BareProcess[Job, Done]
        bare = BareProcess("bench.bare_vllm", data_dir, log, environment, Done, end_s=30)
        with bare:
            yield bare


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
