"""Figures of the inference process, described in docs/operations.md; a test holds the two together.

Levels are read from the board when somebody scrapes; events are counted as they happen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from inference.board import Board
from inference.dispatch.store import Status
from inference.request import RequestClass, Usage

SECONDS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300)
"""From what a person does not notice to what nobody waits for."""

WRITE_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5)
"""From one statement on a warm database to one that is in trouble."""


class Metrics:
    """Counts what ends and how long it took. One per registry."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._registry = registry
        self._generations = Counter(
            "chatsite_generations_total", "Generations ended.", ["status", "class"], registry=registry
        )
        self._ttft = Histogram(
            "chatsite_ttft_seconds",
            "From the question's commit to its first text.",
            ["class"],
            buckets=SECONDS,
            registry=registry,
        )
        self._queue = Histogram(
            "chatsite_queue_seconds",
            "From the question's commit to its start.",
            ["class"],
            buckets=SECONDS,
            registry=registry,
        )
        self._tokens = Counter(
            "chatsite_tokens_total", "Tokens of ended generations.", ["kind"], registry=registry
        )
        self.append = Histogram(
            "chatsite_stream_log_append_seconds",
            "One append of a step's events.",
            buckets=WRITE_SECONDS,
            registry=registry,
        )
        self.checkpoint = Histogram(
            "chatsite_checkpoint_seconds",
            "One transaction of the recorder.",
            buckets=WRITE_SECONDS,
            registry=registry,
        )

    def ended(self, status: Status, request_class: RequestClass, usage: Usage) -> None:
        """A generation's outcome was recorded."""
        self._generations.labels(status, request_class).inc()
        if usage.ttft_s is not None:
            self._ttft.labels(request_class).observe(usage.ttft_s)
        if usage.queue_s is not None:
            self._queue.labels(request_class).observe(usage.queue_s)
        self._tokens.labels("prompt").inc(usage.prompt_tokens)
        self._tokens.labels("cached").inc(usage.cached_tokens)
        self._tokens.labels("completion").inc(usage.completion_tokens)

    def watch(self, board: Callable[[], Board], restarts: Callable[[], int]) -> None:
        """Levels come from here from now on."""
        self._registry.register(_Levels(board, restarts))


class _Levels(Collector):
    """The board and the engine's own counters, read when asked."""

    def __init__(self, board: Callable[[], Board], restarts: Callable[[], int]) -> None:
        self._board = board
        self._restarts = restarts

    def describe(self) -> Iterator[Metric]:
        """Nothing before the first scrape: there may be no engine yet."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        board = self._board()
        yield _by_class("chatsite_requests_waiting", "Requests in line.", board.waiting)
        yield _by_class("chatsite_requests_running", "Requests in the engine.", board.running)
        yield GaugeMetricFamily("chatsite_engine_up", "1 while it serves.", float(board.state == "ready"))
        yield GaugeMetricFamily(
            "chatsite_engine_kv_usage_ratio",
            "Share of the KV cache in use.",
            board.stats.kv_usage if board.stats else 0.0,
        )
        yield CounterMetricFamily(
            "chatsite_engine_steps", "Engine steps.", board.stats.steps if board.stats else 0
        )
        yield CounterMetricFamily("chatsite_engine_restarts", "Engines lost and rebuilt.", self._restarts())


def _by_class(name: str, text: str, counts: dict[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=["class"])
    for kind, count in counts.items():
        family.add_metric([kind], count)
    return family
