"""Forms of quantised weights, and which of them this processor's build of vLLM computes.

vLLM loads a form whose kernel it lacks and ends the engine at the first step (decision 0019). Here it is
refused before anything is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PACKED_METHODS = frozenset({"awq", "awq_marlin", "gptq", "gptq_marlin", "auto-round", "inc"})
"""Methods whose weights are whole numbers of 4 or 8 bits, packed; computed by PACKED_KERNEL on processors."""

PACKED_FORMATS = frozenset({"pack-quantized", "marlin-24"})
"""The same among the formats of compressed-tensors."""

PACKED_KERNEL = "cpu_gemm_wna16"
"""Of vLLM's builds for processors only the one for AVX-512 has it."""


def is_packed(method: str | None, config: Mapping[str, Any]) -> bool:
    """Whether a model's weights are packed: by `method`, VLLM_QUANTIZATION, or by its own configuration."""
    own: Mapping[str, Any] = config.get("quantization_config") or {}
    if (method or str(own.get("quant_method", "")).lower()) in PACKED_METHODS:
        return True
    groups = own.get("config_groups") or {}
    formats = {own.get("format"), *(group.get("format") for group in groups.values())}
    return bool(formats & PACKED_FORMATS)


def why_not_computable(
    model: str, method: str | None, config: Mapping[str, Any], kernels: Any, features: frozenset[str]
) -> str:
    """Why this model cannot be computed here, with the remedy; "" where it can.

    `kernels`: what has vLLM's operators as attributes; `features`: of the processor, as Linux names them.
    """
    if not is_packed(method, config) or hasattr(kernels, PACKED_KERNEL):
        return ""
    has = "only AVX2" if "avx2" in features else "neither AVX2 nor AVX-512"
    return (
        f"{model} has packed weights (W4A16, AWQ, GPTQ). vLLM's build for this processor, which has {has}, "
        f"lacks their kernel {PACKED_KERNEL}. "
        "Take the model in bfloat16 or W8A8, or a processor with AVX-512."
    )
