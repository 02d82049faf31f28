"""The demonstration model is chosen by memory and its speed, and the reason is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from inference.model_store.demo_choice import (
    FROM_TOKENS_PER_S,
    Machine,
    available_bytes,
    choose_demo_model,
    cpu_flags,
    memory_speed,
    needed_bytes,
    tokens_per_s,
    weight_bytes,
)
from inference.model_store.demo_models import QWEN, SMOLLM2

AVX2 = {"device": "cpu", "available_bytes": 20 * 10**9, "kv_bytes": 2 << 30, "weight_bytes": 4}


def machine(**other: Any) -> Machine:
    return Machine(**{**AVX2, "read_bytes_per_s": 13e9, **other})


def test_thirteen_gigabytes_a_second_are_enough_in_float32() -> None:
    """Where 5.3 tokens/s were measured."""
    choice = choose_demo_model("auto", machine())
    assert choice.model is QWEN
    assert "about 5 tokens/s are expected" in choice.why


@pytest.mark.parametrize("wanted", ["auto", "qwen"])
def test_short_memory_gets_the_small_model_whatever_is_wanted(wanted: str) -> None:
    few = machine(available_bytes=needed_bytes(QWEN, machine()) - 1)
    choice = choose_demo_model(wanted, few)
    assert choice.model is SMOLLM2
    assert "needs 7.6 GB of memory, and 7.6 GB are available" in choice.why


def test_slow_memory_gets_the_small_model_unless_the_other_is_wanted() -> None:
    slow = machine(read_bytes_per_s=9e9)
    choice = choose_demo_model("auto", slow)
    assert choice.model is SMOLLM2
    assert "about 3.6 tokens/s here, by memory that is read at 9.0 GB/s" in choice.why
    assert "CHATSITE_DEMO_MODEL=qwen takes it in any case" in choice.why
    assert choose_demo_model("qwen", slow).model is QWEN


def test_half_of_the_bytes_are_twice_the_speed() -> None:
    slow = machine(read_bytes_per_s=9e9, weight_bytes=2)
    assert tokens_per_s(QWEN, slow) > FROM_TOKENS_PER_S
    assert choose_demo_model("auto", slow).model is QWEN


def test_the_small_model_is_there_for_the_asking() -> None:
    assert choose_demo_model("smollm2", machine()).model is SMOLLM2


def test_a_card_needs_no_memory_of_the_machine() -> None:
    card = machine(device="gpu", available_bytes=1, read_bytes_per_s=None)
    assert choose_demo_model("auto", card).model is QWEN


@pytest.mark.parametrize(
    ("dtype", "flags", "size"),
    [
        ("auto", {"avx2", "fma"}, 4),
        ("auto", {"avx2", "avx512f", "avx512_bf16"}, 2),
        ("auto", {"fp", "asimd"}, 2),
        ("float32", {"avx512f"}, 4),
        ("bfloat16", {"avx2"}, 2),
    ],
)
def test_the_size_of_a_weight_is_that_of_the_number_it_is_computed_in(
    dtype: str, flags: set[str], size: int
) -> None:
    assert weight_bytes(dtype, frozenset(flags)) == size


def test_features_are_read_as_linux_names_them(tmp_path: Path) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text("processor\t: 0\nflags\t\t: fpu avx2 avx512f\n\nprocessor\t: 1\nflags\t\t: fpu\n")
    assert cpu_flags(path) == {"fpu", "avx2", "avx512f"}
    path.write_text("processor\t: 0\nFeatures\t: fp asimd\n")
    assert cpu_flags(path) == {"fp", "asimd"}
    assert cpu_flags(tmp_path / "none") == frozenset()


def test_a_containers_limit_counts_where_it_is_lower(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 64000000 kB\nMemAvailable: 32000000 kB\n")
    assert available_bytes(tmp_path, tmp_path) == 32_768_000_000
    (tmp_path / "memory.current").write_text("3000000000\n")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 1000000000\n")
    (tmp_path / "memory.max").write_text("8000000000\n")
    assert available_bytes(tmp_path, tmp_path) == 6_000_000_000
    (tmp_path / "memory.max").write_text("max\n")
    assert available_bytes(tmp_path, tmp_path) == 32_768_000_000


def test_memory_is_read_at_some_speed() -> None:
    assert 1e8 < memory_speed(1 << 24, 0.02) < 1e13
