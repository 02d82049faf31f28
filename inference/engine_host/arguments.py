"""The site's engine settings in vLLM's own words, and back: what the started engine turned out to be."""

from __future__ import annotations

from typing import Any

import torch
from vllm import ModelRegistry
from vllm import __version__ as vllm_version
from vllm.config import VllmConfig
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.model_executor.layers.quantization import QUANTIZATION_METHODS

from inference.engine_settings import (
    GPU_BLOCK_SIZE,
    GPU_LONG_PREFILL_SHARE,
    EngineSettings,
    SettingError,
    compute_dtype,
)
from inference.engines.base import EngineInfo

CPU_WORKER = "inference.engine_host.cpu_worker.SeededCPUWorker"


def engine_arguments(settings: EngineSettings) -> AsyncEngineArgs:
    """vLLM's arguments for these settings. Raises SettingError."""
    _check_quantization(settings.quantization)
    if settings.model.kind == "embedded":
        _register_embedded()
    return AsyncEngineArgs(
        model=settings.model.location,
        quantization=settings.quantization,
        dtype=compute_dtype(settings, bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())),
        max_model_len=settings.max_model_len,
        max_num_seqs=settings.max_num_seqs,
        max_num_batched_tokens=settings.max_num_batched_tokens,
        tensor_parallel_size=settings.tensor_parallel_size,
        enable_prefix_caching=True,
        # The dispatcher orders outside; under KV pressure this has the heavy ones preempted first.
        scheduling_policy="priority",
        # The host's own counters replace vLLM's periodic log lines.
        disable_log_stats=True,
        **_device_arguments(settings),
    )


def _device_arguments(settings: EngineSettings) -> dict[str, Any]:
    if settings.device == "cpu":
        # Compiling takes 75-130 s at each start for 9-20 % speed, and its cache is not reused on CPUs.
        return {"enforce_eager": True, "worker_cls": CPU_WORKER}
    return {
        "block_size": GPU_BLOCK_SIZE,
        "gpu_memory_utilization": settings.gpu_memory_utilization,
        "long_prefill_token_threshold": int(settings.max_num_batched_tokens * GPU_LONG_PREFILL_SHARE),
    }


def _check_quantization(method: str | None) -> None:
    if method is not None and method not in QUANTIZATION_METHODS:
        raise SettingError(
            f"VLLM_QUANTIZATION={method!r}: vLLM {vllm_version} has no such method. "
            f"It has {', '.join(sorted(QUANTIZATION_METHODS))}; empty follows the model's configuration."
        )


def _register_embedded() -> None:
    """Name the embedded model's class to vLLM, which otherwise imports itself in a process to look at it.

    It does so to keep CUDA out of this process, and remembers the outcome; at a first start it is the
    longest single step (17 s on two cores). Importing this class touches no GPU.
    """
    from vllm.model_executor.models.llama import LlamaForCausalLM

    ModelRegistry.register_model("LlamaForCausalLM", LlamaForCausalLM)


def engine_info(settings: EngineSettings, config: VllmConfig) -> EngineInfo:
    """What has been started: context and KV memory as they were fitted."""
    blocks = config.cache_config.num_gpu_blocks or 0
    return EngineInfo(
        engine="vllm",
        model=settings.model.name,
        context_tokens=config.model_config.max_model_len,
        kv_tokens=blocks * config.cache_config.block_size,
        max_running=settings.max_num_seqs,
        version=vllm_version,
        structured=True,
        logprobs=True,
    )
