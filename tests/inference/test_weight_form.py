"""A form of weights that this processor cannot compute is refused with the reason and a remedy."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from inference.engines.vllm.weight_form import PACKED_KERNEL, is_packed, why_not_computable

AVX2, AVX512 = SimpleNamespace(onednn_mm=None), SimpleNamespace(**{PACKED_KERNEL: None})
FEATURES = frozenset({"avx2", "fma"})


def quantized(**own: Any) -> dict[str, Any]:
    return {"quantization_config": own}


W4A16 = quantized(quant_method="compressed-tensors", format="pack-quantized")
W8A8 = quantized(quant_method="compressed-tensors", format="int-quantized")
MIXED = quantized(
    quant_method="compressed-tensors",
    format="mixed-precision",
    config_groups={"group_0": {"format": "int-quantized"}, "group_1": {"format": "pack-quantized"}},
)


@pytest.mark.parametrize(
    ("method", "config", "packed"),
    [
        (None, W4A16, True),
        (None, MIXED, True),
        (None, quantized(quant_method="awq", bits=4), True),
        (None, quantized(quant_method="gptq", bits=4), True),
        ("awq", {}, True),
        (None, W8A8, False),
        (None, {}, False),
        (None, {"quantization_config": None}, False),
        ("fp8", {}, False),
    ],
)
def test_packed_weights_are_known_by_method_and_format(
    method: str | None, config: dict[str, Any], packed: bool
) -> None:
    assert is_packed(method, config) == packed


def test_without_their_kernel_they_are_refused_with_the_remedy() -> None:
    why = why_not_computable("small-awq", "awq", {}, AVX2, FEATURES)
    for words in ("small-awq", "has only AVX2", PACKED_KERNEL, "Take the model in bfloat16 or W8A8"):
        assert words in why


def test_with_it_they_are_computed() -> None:
    assert not why_not_computable("small-awq", "awq", {}, AVX512, FEATURES)


@pytest.mark.parametrize("config", [W8A8, {}])
def test_other_forms_need_no_kernel_of_their_own(config: dict[str, Any]) -> None:
    assert not why_not_computable("small", None, config, AVX2, FEATURES)
