"""Bare `transformers.generate`: one request after the other, in the order of arrival, as most people begin.

A process of its own, which alone imports torch: `python -m bench.bare_transformers MODEL_DIR FD`. Speaks
JSON lines: a list of `Job` in, a list of `Done` out on the descriptor; an empty line of output says ready.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import msgspec

from bench.bare_process import BareProcess


class Job(msgspec.Struct, frozen=True):
    """One request: a single user message, `at_s` after the list's start."""

    at_s: float
    content: str
    max_tokens: int
    temperature: float
    seed: int


class Done(msgspec.Struct, frozen=True):
    """Seconds from arrival to the first token's computing and to the last; tokens made."""

    ttft_s: float
    whole_s: float
    busy_s: float
    tokens: int


class FirstToken:
    """A streamer, in transformers' words: it is handed the prompt, then every token."""

    def __init__(self) -> None:
        self.at: float | None = None
        self._prompt = True

    def put(self, _value: object) -> None:
        if self._prompt:
            self._prompt = False
        elif self.at is None:
            self.at = perf_counter()

    def end(self) -> None:
        """Nothing to give back."""


def answer(model: Any, tokenizer: Any, job: Job, zero: float) -> Done:
    """Wait for its time, then generate as the library's documentation has it."""
    import torch

    sleep(max(0.0, zero + job.at_s - perf_counter()))
    began = perf_counter()
    torch.manual_seed(job.seed)
    messages = [{"role": "user", "content": job.content}]
    inputs = tokenizer.apply_chat_template(
        messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    first = FirstToken()
    made = model.generate(
        **inputs, max_new_tokens=job.max_tokens, do_sample=True, temperature=job.temperature, streamer=first,
        pad_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    ended = perf_counter()
    arrived = zero + job.at_s
    tokens = int(made.shape[1] - inputs["input_ids"].shape[1])
    return Done((first.at or ended) - arrived, ended - arrived, ended - began, tokens)


def serve(folder: Path) -> None:
    """Load the model, then answer each line of jobs with a line of results."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    model.eval()
    out = os.fdopen(int(sys.argv[2]), "wb", buffering=0)
    out.write(b"\n")
    while line := sys.stdin.buffer.readline():
        jobs = msgspec.json.decode(line, type=list[Job])
        zero = perf_counter()
        out.write(msgspec.json.encode([answer(model, tokenizer, job, zero) for job in jobs]) + b"\n")


def bare_transformers(folder: Path, log: Path) -> BareProcess[Job, Done]:
    """The process of `bare_transformers`, for the model in this folder: its jobs one after the other."""
    environment = os.environ | {"HF_HUB_OFFLINE": "1"}
    return BareProcess("bench.bare_transformers", folder, log, environment, Done, end_s=10)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
