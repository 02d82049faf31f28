"""Parse a vLLM server's /metrics (Prometheus' exposition format)."""

from __future__ import annotations

import math
import re
from collections import defaultdict

import msgspec

SAMPLE = re.compile(r"^(vllm:[a-z_]+)(?:\{(.*)\})? ([^ ]+)(?: \d+)?$", re.MULTILINE)
"""name, labels, value of a sample that is vLLM's own."""

LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class ServerMetrics(msgspec.Struct, frozen=True):
    """One server's counters, summed over its engines. `kv_usage` 0 to 1; `kv_tokens` 0: not reported."""

    running: int = 0
    waiting: int = 0
    kv_usage: float = 0.0
    kv_tokens: int = 0
    prefix_queries: int = 0
    prefix_hits: int = 0
    preemptions: int = 0


def parse_metrics(text: str) -> ServerMetrics:
    """The metrics in the text; samples that are missing or no finite number are 0."""
    values: dict[str, list[float]] = defaultdict(list)
    kv_tokens = 0
    for name, labels, value in SAMPLE.findall(text):
        if name == "vllm:cache_config_info":
            kv_tokens += _kv_tokens(dict(LABEL.findall(labels)))
        else:
            values[name] += _finite(value)
    usages = values["vllm:kv_cache_usage_perc"]

    def total(name: str) -> int:
        return int(sum(values[name]))

    return ServerMetrics(
        running=total("vllm:num_requests_running"),
        waiting=total("vllm:num_requests_waiting"),
        kv_usage=sum(usages) / len(usages) if usages else 0.0,
        kv_tokens=kv_tokens,
        prefix_queries=total("vllm:prefix_cache_queries_total"),
        prefix_hits=total("vllm:prefix_cache_hits_total"),
        preemptions=total("vllm:num_preemptions_total"),
    )


def _finite(value: str) -> list[float]:
    try:
        number = float(value)
    except ValueError:
        return []
    return [number] if math.isfinite(number) else []


def _kv_tokens(labels: dict[str, str]) -> int:
    blocks, size = labels.get("num_gpu_blocks", ""), labels.get("block_size", "")
    return int(blocks) * int(size) if blocks.isdecimal() and size.isdecimal() else 0
