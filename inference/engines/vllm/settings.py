"""Settings of the vLLM engine, read from the environment and validated.

`VLLM_MODEL`, `VLLM_QUANTIZATION`, `VLLM_GPU_MEMORY_UTILIZATION`, `VLLM_MAX_NUM_SEQS` and the rest of
`OWN_VARIABLES` are this site's names, not vLLM's: the engine host turns them into engine arguments, and
they are kept out of its environment, where vLLM warns about names that it does not know.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Literal, get_args

import msgspec

from inference.model_store import demo_models
from inference.model_store.source import MODEL, ModelSource, resolve_model
from inference.setting import RuleError, Setting, SettingError, choice, number, whole

Device = Literal["cpu", "gpu"]

Dtype = Literal["auto", "float32", "bfloat16", "float16"]

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
"""Share of GPU memory for vLLM; the rest is for other allocations (docs/references.md)."""

GPU_MAX_SEQS = 128
"""Measured to beat 256 by 8 % (docs/references.md)."""

CPU_MAX_SEQS = 34
"""32, where two cores reach their plateau, plus the two slots reserved for quick requests."""

GPU_BLOCK_SIZE = 16
"""Tokens per KV block; a CPU keeps vLLM's own 128, which its kernels want."""

GPU_STEP_TOKENS = 1024
"""Prefill tokens per step: 0.11 s on a 24 GB GPU with a 4B model, the longest pause that a prompt causes.

With 2,048 a flooder made others' p95 TTFT 1.65 times what it is without, with 1,024 1.43 (simulated)."""

GPU_LONG_PREFILL_SHARE = 0.75
"""The most that one prompt gets of a step. Beside a document of 20,000 tokens a short question starts at
once, not when the document is read (simulated: TTFT p95 below 1 s, without it 3.3 s); with 0.5 a flood of
middling prompts holds light users up instead."""

CPU_STEP_TOKENS = 256
"""Prefill tokens per step: measured, quick requests' p95 TTFT is 0.65 s, against 43 s with 2,048."""

CPU_KV_GIB = 2
"""93,184 tokens of the embedded model in bfloat16, half of that in float32: 34 requests with 1,350 each."""

SMALLEST_CONTEXT = 256
"""Tokens; below it no chat template with a question and an answer has room."""

LARGEST_CONTEXT = 16_777_216
"""Tokens; far above any model, so that a typing error is noticed."""

FIT_TO_MEMORY = -1
"""vLLM's value for "the longest context that fits the memory"."""

DTYPES: tuple[Dtype, ...] = get_args(Dtype)

QUANTIZATION_NAME = re.compile(r"^[a-z0-9][a-z0-9_-]*$")


def _method(value: str) -> str | None:
    word = value.lower()
    if word == "none":
        return None
    if not QUANTIZATION_NAME.match(word):
        raise RuleError(
            "not a method's name such as awq, gptq or compressed-tensors. "
            "Leave it empty to follow the model's own configuration."
        )
    return word


def _context(value: str) -> int:
    if value in {"auto", str(FIT_TO_MEMORY)}:
        return FIT_TO_MEMORY
    length: int = whole(MAX_MODEL_LEN.name, SMALLEST_CONTEXT, LARGEST_CONTEXT).parse(value)
    return length


MAX_NUM_SEQS = whole("VLLM_MAX_NUM_SEQS", 1, 4096)
MAX_NUM_BATCHED_TOKENS = whole("VLLM_MAX_NUM_BATCHED_TOKENS", 1, 1_048_576)
MAX_MODEL_LEN = Setting(
    name="VLLM_MAX_MODEL_LEN",
    parse=_context,
    rule=f"auto or a whole number from {SMALLEST_CONTEXT} to {LARGEST_CONTEXT}",
    default=FIT_TO_MEMORY,
)
QUANTIZATION = Setting(name="VLLM_QUANTIZATION", parse=_method)
DTYPE = choice("VLLM_DTYPE", DTYPES)
MEMORY_UTILIZATION = number("VLLM_GPU_MEMORY_UTILIZATION", 0.05, 1.0, GPU_MEMORY_UTILIZATION)
TENSOR_PARALLEL_SIZE = whole("VLLM_TENSOR_PARALLEL_SIZE", 1, 64, 1)
CPU_KVCACHE_SPACE = whole("VLLM_CPU_KVCACHE_SPACE", 1, 4096, CPU_KV_GIB)

SETTINGS = (
    MODEL, QUANTIZATION, DTYPE, MEMORY_UTILIZATION, MAX_NUM_SEQS, MAX_NUM_BATCHED_TOKENS, MAX_MODEL_LEN,
    TENSOR_PARALLEL_SIZE, CPU_KVCACHE_SPACE, *demo_models.SETTINGS,
)  # fmt: skip


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of one engine host. `max_model_len` in tokens, FIT_TO_MEMORY by default.

    `dtype` "auto" is the model's own type, or what this CPU multiplies fastest (`compute_dtype`).
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
    demo_model: Literal["auto", "qwen", "smollm2"] = "auto"


def installed_device() -> Device:
    """Whether the installed vLLM is built for CPUs or GPUs."""
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

    `device` is that of the installed vLLM, unless given.
    """
    device = device or installed_device()
    on_cpu = device == "cpu"
    max_num_seqs = MAX_NUM_SEQS.read(environment) or (CPU_MAX_SEQS if on_cpu else GPU_MAX_SEQS)
    return EngineSettings(
        model=resolve_model(MODEL.read(environment)),
        data_dir=str(data_dir),
        device=device,
        quantization=QUANTIZATION.read(environment),
        dtype=DTYPE.read(environment),
        gpu_memory_utilization=MEMORY_UTILIZATION.read(environment),
        max_num_seqs=max_num_seqs,
        max_num_batched_tokens=_step_tokens(environment, on_cpu, max_num_seqs),
        max_model_len=MAX_MODEL_LEN.read(environment),
        tensor_parallel_size=TENSOR_PARALLEL_SIZE.read(environment),
        cpu_kv_gib=CPU_KVCACHE_SPACE.read(environment),
        cpu_threads=len(os.sched_getaffinity(0)),
        demo_model=_demo_model(environment),
    )


def compute_dtype(settings: EngineSettings, bfloat16_instructions: bool) -> Dtype:
    """The data type to compute in, by vLLM's name; "auto" is the model's own.

    A CPU without bfloat16 instructions converts each product: on two AVX2 cores the embedded model
    writes 28 tokens/s in bfloat16 and 119 in float32 at 32 streams, and reads prompts five times faster
    (docs/decisions/0015). Quantised kernels name their own type, so theirs is left alone.
    """
    if settings.dtype != "auto" or settings.device == "gpu" or settings.quantization is not None:
        return settings.dtype
    return "auto" if bfloat16_instructions else "float32"


def _demo_model(environment: Mapping[str, str]) -> Literal["auto", "qwen", "smollm2"]:
    demo_models.DEMO_MODEL_FILE.read(environment)  # a file that is not there is told before anything starts
    wanted: Literal["auto", "qwen", "smollm2"] = demo_models.DEMO_MODEL.read(environment)
    return wanted


def _step_tokens(environment: Mapping[str, str], on_cpu: bool, max_num_seqs: int) -> int:
    """A step has one token for every running request at least, so the budget is not below their number."""
    asked: int | None = MAX_NUM_BATCHED_TOKENS.read(environment)
    if asked is None:
        return max(CPU_STEP_TOKENS if on_cpu else GPU_STEP_TOKENS, max_num_seqs)
    if asked < max_num_seqs:
        raise SettingError(
            f"{MAX_NUM_BATCHED_TOKENS.name}={asked}: must not be below {MAX_NUM_SEQS.name}={max_num_seqs}."
        )
    return asked
