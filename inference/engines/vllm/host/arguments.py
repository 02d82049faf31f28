"""The engine arguments of vLLM from the site's settings, and what the started engine is and can do."""

from __future__ import annotations

import json
from copy import copy
from pathlib import Path
from typing import Any

import torch
from transformers import PretrainedConfig, PreTrainedTokenizerFast
from vllm import ModelRegistry
from vllm import __version__ as vllm_version
from vllm.config import StructuredOutputsConfig, VllmConfig
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.model_executor.layers.quantization import QUANTIZATION_METHODS
from vllm.platforms import current_platform
from vllm.v1.structured_output.backend_guidance import GuidanceBackend

from inference.engines.base import EngineInfo
from inference.engines.vllm.host.grammar_process import Vocabulary
from inference.engines.vllm.settings import (
    GPU_BLOCK_SIZE,
    GPU_LONG_PREFILL_SHARE,
    EngineSettings,
    compute_dtype,
)
from inference.engines.vllm.weight_form import why_not_computable
from inference.model_store.demo_choice import cpu_flags
from inference.setting import SettingError

GRAMMAR_BACKEND = "guidance"
"""llguidance compiles schemas in bounded steps (decision 0017). With "auto" vLLM would keep the backend that
the first schema happens to need, for all that follow."""

CPU_WORKER = "inference.engines.vllm.host.cpu_worker.SeededCPUWorker"


def engine_arguments(settings: EngineSettings) -> AsyncEngineArgs:
    """vLLM's arguments for these settings. Raises SettingError."""
    _check_quantization(settings.quantization)
    if settings.device == "cpu":
        _check_weight_form(settings)
    if settings.model.kind == "embedded":
        _register_embedded(Path(settings.model.location))
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
        structured_outputs_config=StructuredOutputsConfig(backend=GRAMMAR_BACKEND),
        # The host's stat logger replaces vLLM's periodic log lines.
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


def _check_weight_form(settings: EngineSettings) -> None:
    """Raises SettingError for weights that end the engine once it computes."""
    current_platform.import_kernels()
    config, _ = PretrainedConfig.get_config_dict(settings.model.location)  # nosec B615
    why = why_not_computable(settings.model.name, settings.quantization, config, torch.ops._C, cpu_flags())
    if why:
        raise SettingError(why)


def _register_embedded(directory: Path) -> None:
    """Register the demonstration model's class with vLLM, which otherwise imports itself in a process to
    inspect it.

    It does so to keep CUDA out of this process, and remembers the outcome; at a first start it is the
    longest single step (17 s on two cores). Importing this class touches no GPU.
    """
    from vllm.model_executor.models.llama import LlamaForCausalLM
    from vllm.model_executor.models.qwen2 import Qwen2ForCausalLM

    (architecture,) = json.loads((directory / "config.json").read_text("utf-8"))["architectures"]
    classes = {kind.__name__: kind for kind in (LlamaForCausalLM, Qwen2ForCausalLM)}
    ModelRegistry.register_model(architecture, classes[architecture])


def engine_info(settings: EngineSettings, config: VllmConfig, *, structured: bool) -> EngineInfo:
    """The started engine: context and KV memory as they were fitted."""
    blocks = config.cache_config.num_gpu_blocks or 0
    return EngineInfo(
        engine="vllm",
        model=settings.model.name,
        context_tokens=config.model_config.max_model_len,
        kv_tokens=blocks * config.cache_config.block_size,
        max_running=settings.max_num_seqs,
        version=vllm_version,
        structured=structured,
        logprobs=True,
    )


def supports_structured_output(tokenizer: Any) -> bool:
    """Whether answers can be held to a schema: llguidance reads fast tokenizers and Mistral's newer ones."""
    return bool(GuidanceBackend.is_tokenizer_supported(tokenizer))


def grammar_vocabulary(tokenizer: Any, size: int) -> Vocabulary:
    """The vocabulary as vLLM gives it to llguidance; without a fast tokenizer grammars are checked on
    bytes."""
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        return Vocabulary()
    plain = copy(tokenizer.backend_tokenizer)
    plain.no_padding()
    plain.no_truncation()
    return Vocabulary(plain.to_str(), max(size, len(tokenizer)), tokenizer.eos_token_id)
