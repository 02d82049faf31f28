"""`manage.py tune`: measure the best concurrency of this engine and print the settings for it."""

from __future__ import annotations

import asyncio
import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from inference.engines.base import EngineError, EngineInfo
from inference.engines.choice import choose_engine
from inference.scheduling.policy import Policy
from inference.tune import PLATEAU_SHARE, ConcurrencyLevel, TuneError, TuneWorkload, smallest_at_plateau, tune

TOP = 128
"""Highest level by default (docs/references.md); the search ends earlier where the plateau begins earlier."""


class Command(BaseCommand):
    help = (
        "Find K, the smallest number of requests at once with nearly all of the engine's throughput. "
        "Nothing else may use the engine meanwhile: stop the site first."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        workload = TuneWorkload()
        parser.add_argument("--top", type=int, default=TOP, help="most requests at once to try (%(default)s)")
        parser.add_argument(
            "--prompt-tokens",
            type=int,
            default=workload.prompt_tokens,
            help="of each request, about (%(default)s)",
        )
        parser.add_argument(
            "--answer-tokens",
            type=int,
            default=workload.answer_tokens,
            help="of each answer, mean (%(default)s)",
        )
        parser.add_argument("--seconds", type=float, default=workload.seconds, help="per level (%(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        for name in ("top", "prompt_tokens", "answer_tokens", "seconds"):
            if not options[name] > 0:
                raise CommandError(f"--{name.replace('_', '-')}={options[name]}: must be above 0.")
        workload = TuneWorkload(
            prompt_tokens=options["prompt_tokens"],
            answer_tokens=options["answer_tokens"],
            seconds=options["seconds"],
        )
        try:
            policy = Policy.from_env(os.environ)
            info, levels = asyncio.run(self._measure(workload, options["top"]))
        except (ValueError, EngineError, TuneError) as error:
            raise CommandError(str(error)) from error
        self._print_result(info, levels, policy.reserved_slots)

    async def _measure(self, workload: TuneWorkload, top: int) -> tuple[EngineInfo, list[ConcurrencyLevel]]:
        environment = dict(os.environ)
        data_dir = Path(settings.DATA_DIR)
        choice = choose_engine(environment, data_dir)
        if choice.name == "vllm":
            choice = choose_engine(environment | {"VLLM_MAX_NUM_SEQS": str(top)}, data_dir)
        engine = choice.build()
        info = await engine.start(lambda phase, fraction: self.stdout.write(f"{phase} …"))
        try:
            self.stdout.write(
                f"Engine: {info.engine}, {info.model}. About {workload.seconds * 1.5:g} s per level.\n"
            )
            self.stdout.write(f"{'requests':>8} {'tokens/s':>10} {'TTFT p50 s':>11}")
            levels = await tune(engine, workload, min(top, info.max_running), self._print_level)
        finally:
            await engine.close()
        return info, levels

    def _print_level(self, level: ConcurrencyLevel) -> None:
        self.stdout.write(f"{level.requests:>8} {level.tokens_per_s:>10.1f} {level.ttft_p50_s:>11.3f}")

    def _print_result(self, info: EngineInfo, levels: list[ConcurrencyLevel], reserved: int) -> None:
        best, found = max(level.tokens_per_s for level in levels), smallest_at_plateau(levels)
        self.stdout.write(
            "\n| requests at once | tokens/s | of the best | TTFT p50 s |\n| --- | --- | --- | --- |"
        )
        for level in levels:
            mark = "**" if level is found else ""
            self.stdout.write(
                f"| {mark}{level.requests}{mark} | {level.tokens_per_s:.1f} | "
                f"{level.tokens_per_s / best:.0%} | {level.ttft_p50_s:.3f} |"
            )
        self.stdout.write(
            f"\nK = {found.requests}: the smallest measured with {PLATEAU_SHARE:.0%} of the best."
            f"\nSet CHATSITE_MAX_RUNNING={found.requests} and {self._slots(info, found.requests + reserved)} "
            f"(K and the {reserved} reserved slots)."
        )
        if info.engine == "emulated":
            self.stdout.write("The engine is emulated: this says nothing about a real one.")
        if found.requests == max(level.requests for level in levels):
            self.stdout.write("The highest level tried was the best: try more with --top.")

    def _slots(self, info: EngineInfo, slots: int) -> str:
        if info.engine == "emulated":
            return f"CHATSITE_EMULATED_MAX_RUNNING={slots}"
        if info.engine == "remote":
            return f"--max-num-seqs of the servers to {slots} in all, VLLM_MAX_NUM_SEQS here to that of one"
        return f"VLLM_MAX_NUM_SEQS={slots}"
