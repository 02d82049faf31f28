"""Prometheus metrics of the inference process, described in docs/operations.md (a test holds it).

Levels are read from the status at each scrape; events are counted as they happen.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from inference.dispatch.store import Answer, Claim, Outcome, Status, Store
from inference.request import RequestClass, Usage
from inference.status import InferenceStatus
from inference.stream_log.base import Event, StreamLog, StreamStatus

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

    def watch(self, status: Callable[[], InferenceStatus], restarts: Callable[[], int]) -> None:
        """Read the levels from here from now on."""
        self._registry.register(_StatusMetrics(status, restarts))


class _StatusMetrics(Collector):
    """The status and the engine's own counters, read at each scrape."""

    def __init__(self, status: Callable[[], InferenceStatus], restarts: Callable[[], int]) -> None:
        self._status = status
        self._restarts = restarts

    def describe(self) -> Iterator[Metric]:
        """Nothing before the first scrape: there may be no engine yet."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        status = self._status()
        yield _by_class("chatsite_requests_waiting", "Requests waiting.", status.waiting)
        yield _by_class("chatsite_requests_running", "Requests in the engine.", status.running)
        yield GaugeMetricFamily("chatsite_engine_up", "1 while it serves.", float(status.state == "ready"))
        yield GaugeMetricFamily(
            "chatsite_engine_kv_usage_ratio",
            "Share of the KV cache in use.",
            status.stats.kv_usage if status.stats else 0.0,
        )
        yield CounterMetricFamily(
            "chatsite_engine_steps", "Engine steps.", status.stats.steps if status.stats else 0
        )
        yield CounterMetricFamily("chatsite_engine_restarts", "Engines lost and rebuilt.", self._restarts())


def _by_class(name: str, text: str, counts: dict[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=["class"])
    for kind, count in counts.items():
        family.add_metric([kind], count)
    return family


class MeasuredStore:
    """A store whose writes are timed and whose outcomes are counted."""

    def __init__(self, store: Store, metrics: Metrics) -> None:
        self._store = store
        self._metrics = metrics

    async def claim(self, claims: Sequence[Claim]) -> set[str]:
        return await self._store.claim(claims)

    async def checkpoint(self, answers: Sequence[Answer]) -> None:
        with self._metrics.checkpoint.time():
            await self._store.checkpoint(answers)

    async def finish(self, outcomes: Sequence[Outcome]) -> Mapping[str, Outcome]:
        with self._metrics.checkpoint.time():
            written = await self._store.finish(outcomes)
        for outcome in written.values():
            self._metrics.ended(outcome.status, outcome.request_class, outcome.usage)
        return written


class MeasuredLog(StreamLog):
    """A stream log whose appends are timed."""

    def __init__(self, log: StreamLog, metrics: Metrics) -> None:
        self._log = log
        self._metrics = metrics

    async def append(self, events: Sequence[tuple[str, Event]], *, epoch: int) -> Sequence[str]:
        with self._metrics.append.time():
            return await self._log.append(events, epoch=epoch)

    async def epoch(self) -> int:
        return await self._log.epoch()

    async def publish_status(self, statuses: Mapping[str, StreamStatus]) -> None:
        await self._log.publish_status(statuses)

    async def read(self, generation: str, after: int) -> list[Event]:
        return await self._log.read(generation, after)

    def follow(self, generation: str, after: int) -> AsyncGenerator[list[Event | StreamStatus], None]:
        return self._log.follow(generation, after)

    async def close(self) -> None:
        await self._log.close()
