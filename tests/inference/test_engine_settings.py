"""What the variables of the environment become, and how a wrong one is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from inference.engines.vllm.engine import host_environment
from inference.engines.vllm.settings import (
    CPU_MAX_SEQS,
    FIT_TO_MEMORY,
    OWN_VARIABLES,
    EngineSettings,
    SettingError,
    compute_dtype,
    read_settings,
)
from inference.model_store.source import ModelNotFoundError, resolve_model

DATA = Path("data")


def test_a_gpu_gets_the_reference_deployment_by_default() -> None:
    settings = read_settings({}, DATA, "gpu")
    assert (settings.gpu_memory_utilization, settings.max_num_seqs) == (0.85, 128)
    assert settings.max_model_len == FIT_TO_MEMORY
    assert settings.quantization is None


def test_a_cpu_gets_short_steps_and_the_reserved_slots() -> None:
    settings = read_settings({}, DATA, "cpu")
    assert (settings.max_num_seqs, settings.max_num_batched_tokens) == (CPU_MAX_SEQS, 256)
    assert settings.cpu_threads >= 1


def test_the_articles_variables_work() -> None:
    settings = read_settings(
        {
            "VLLM_MODEL": "Qwen/Qwen3-4B-Instruct-2507",
            "VLLM_QUANTIZATION": "AWQ",
            "VLLM_GPU_MEMORY_UTILIZATION": "0.9",
            "VLLM_MAX_NUM_SEQS": "64",
            "VLLM_MAX_MODEL_LEN": "32768",
        },
        DATA,
        "gpu",
    )
    assert (settings.model.kind, settings.model.location) == ("hub", "Qwen/Qwen3-4B-Instruct-2507")
    assert settings.quantization == "awq"
    assert (settings.gpu_memory_utilization, settings.max_num_seqs) == (0.9, 64)
    assert settings.max_model_len == 32768


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VLLM_GPU_MEMORY_UTILIZATION", "1.5"),
        ("VLLM_GPU_MEMORY_UTILIZATION", "nan"),
        ("VLLM_GPU_MEMORY_UTILIZATION", "most"),
        ("VLLM_MAX_NUM_SEQS", "0"),
        ("VLLM_MAX_NUM_SEQS", "12.5"),
        ("VLLM_MAX_MODEL_LEN", "10"),
        ("VLLM_MAX_NUM_BATCHED_TOKENS", "16"),
        ("VLLM_TENSOR_PARALLEL_SIZE", "-1"),
        ("VLLM_CPU_KVCACHE_SPACE", "2GB"),
        ("VLLM_QUANTIZATION", "int 4"),
    ],
)
def test_a_wrong_value_is_named_with_its_variable(name: str, value: str) -> None:
    with pytest.raises(SettingError, match=name) as caught:
        read_settings({name: value}, DATA, "gpu")
    assert value in str(caught.value)


def test_a_step_holds_a_token_of_every_running_request() -> None:
    settings = read_settings({"VLLM_MAX_NUM_SEQS": "512"}, DATA, "cpu")
    assert settings.max_num_batched_tokens == 512


def test_no_model_is_the_embedded_one() -> None:
    assert resolve_model("  ").kind == "embedded"


def test_a_directory_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    source = resolve_model(str(tmp_path))
    assert (source.kind, source.name, source.location) == ("directory", tmp_path.name, str(tmp_path))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("/no/such/model", "no such directory"),
        ("./model", "no such directory"),
        ("a/b/c", "neither an existing directory nor a hub name"),
        ("Qwen/Qwen3 4B", "neither an existing directory nor a hub name"),
        ("https://huggingface.co/Qwen/Qwen3-4B", "neither an existing directory nor a hub name"),
    ],
)
def test_a_model_that_cannot_be_is_told_with_the_rule(value: str, words: str) -> None:
    with pytest.raises(ModelNotFoundError, match=words) as caught:
        resolve_model(value)
    assert value in str(caught.value)


def test_a_directory_without_a_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match=r"no config\.json"):
        resolve_model(str(tmp_path))


def test_our_names_stay_out_of_the_hosts_environment() -> None:
    """vLLM warns about variables that it does not know, and some it would take for its own."""
    owner = dict.fromkeys(OWN_VARIABLES, "1") | {"PATH": "/bin"}
    environment = host_environment(owner, settings("cpu"), "/private")
    assert not OWN_VARIABLES & environment.keys()
    assert environment["PATH"] == "/bin"


def test_a_local_model_keeps_the_host_off_the_network() -> None:
    assert host_environment({}, settings("cpu"), "/private")["HF_HUB_OFFLINE"] == "1"
    hub = settings("gpu", VLLM_MODEL="Qwen/Qwen3-4B-Instruct-2507")
    assert "HF_HUB_OFFLINE" not in host_environment({}, hub, "/private")


def settings(device: str, **environment: str) -> EngineSettings:
    return read_settings(environment, DATA, device)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("variables", "device", "bfloat16", "dtype"),
    [
        ({}, "cpu", False, "float32"),
        ({}, "cpu", True, "auto"),
        ({"VLLM_DTYPE": "BFloat16"}, "cpu", False, "bfloat16"),
        ({"VLLM_QUANTIZATION": "awq"}, "cpu", False, "auto"),
        ({}, "gpu", False, "auto"),
    ],
)
def test_a_cpu_without_bfloat16_computes_in_float32(variables, device, bfloat16, dtype) -> None:
    assert compute_dtype(read_settings(variables, DATA, device), bfloat16) == dtype


def test_a_wrong_type_is_named() -> None:
    with pytest.raises(SettingError, match="VLLM_DTYPE='int3'"):
        read_settings({"VLLM_DTYPE": "int3"}, DATA, "cpu")
