"""A vLLM stat logger that keeps the engine's counters, updated once per step."""

from __future__ import annotations

from collections.abc import Callable

from vllm.config import VllmConfig
from vllm.v1.metrics.loggers import StatLoggerBase
from vllm.v1.metrics.stats import IterationStats, MultiModalCacheStats, SchedulerStats

from inference.engines.base import EngineStats


class StepStatLogger(StatLoggerBase):
    """Adds up vLLM's statistics of each step; `on_step` is called after every one.

    vLLM calls `record` once per engine step, after it has put the step's outputs into every request's
    collector: the one moment at which a whole step can be picked up at once.
    """

    def __init__(self, vllm_config: VllmConfig | None = None, engine_index: int = 0) -> None:
        self.on_step: Callable[[], None] | None = None
        self._steps = 0
        self._running = 0
        self._waiting = 0
        self._kv_usage = 0.0
        self._prompt_tokens = 0
        self._generation_tokens = 0
        self._prefix_queries = 0
        self._prefix_hits = 0
        self._preemptions = 0

    @property
    def steps(self) -> int:
        """Steps so far."""
        return self._steps

    def record(
        self,
        scheduler_stats: SchedulerStats | None,
        iteration_stats: IterationStats | None,
        mm_cache_stats: MultiModalCacheStats | None = None,
        engine_idx: int = 0,
    ) -> None:
        if scheduler_stats is not None:
            self._steps += 1
            self._running = scheduler_stats.num_running_reqs
            self._waiting = scheduler_stats.num_waiting_reqs + scheduler_stats.num_skipped_waiting_reqs
            self._kv_usage = scheduler_stats.kv_cache_usage
            self._prefix_queries += scheduler_stats.prefix_cache_stats.queries
            self._prefix_hits += scheduler_stats.prefix_cache_stats.hits
        if iteration_stats is not None:
            self._prompt_tokens += iteration_stats.num_prompt_tokens
            self._generation_tokens += iteration_stats.num_generation_tokens
            self._preemptions += iteration_stats.num_preempted_reqs
        if self.on_step is not None:
            self.on_step()

    def log_engine_initialized(self) -> None:
        """Logs nothing: the host reports what was started."""

    def stats(self) -> EngineStats:
        """The counters after the latest step."""
        return EngineStats(
            steps=self._steps,
            running=self._running,
            waiting=self._waiting,
            kv_usage=self._kv_usage,
            prompt_tokens=self._prompt_tokens,
            generation_tokens=self._generation_tokens,
            prefix_queries=self._prefix_queries,
            prefix_hits=self._prefix_hits,
            preemptions=self._preemptions,
        )
