"""What `VLLM_MODEL` means: nothing (the embedded model), a local directory, or a name on the hub."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import msgspec

HUB_ID = re.compile(r"^[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?$")
"""The hub's own rule: letters, digits, `-`, `_`, `.`, at most 96 characters, one optional owner."""

PATH_STARTS = ("/", "./", "../", "~")
"""What nobody writes at the start of a hub name: the value was meant as a path."""


class ModelNotFoundError(ValueError):
    """VLLM_MODEL names no model; the message says which value, which rule, and what to do."""


class ModelSource(msgspec.Struct, frozen=True):
    """Which model was asked for. `name` is what people read, `location` what the engine loads.

    `location` is a directory or a hub name, and "" for the embedded model until it is prepared.
    """

    kind: Literal["embedded", "directory", "hub"]
    name: str
    location: str


def resolve_model(value: str, embedded_name: str) -> ModelSource:
    """The source that `value` (of VLLM_MODEL) names. Raises ModelNotFoundError."""
    value = value.strip()
    if not value:
        return ModelSource("embedded", embedded_name, "")
    path = Path(value).expanduser()
    if path.exists():
        return _check_directory(value, path)
    if value.startswith(PATH_STARTS):
        raise ModelNotFoundError(
            f"VLLM_MODEL={value!r}: there is no such directory. "
            "Give a directory with config.json and weights, a hub name such as "
            "Qwen/Qwen3-4B-Instruct-2507, or nothing for the embedded model."
        )
    if not HUB_ID.match(value) or ".." in value or "--" in value:
        raise ModelNotFoundError(
            f"VLLM_MODEL={value!r}: neither an existing directory nor a hub name. "
            "A hub name is OWNER/NAME of letters, digits, '-', '_' and '.'."
        )
    return ModelSource("hub", value, value)


def _check_directory(value: str, path: Path) -> ModelSource:
    if not (path / "config.json").is_file():
        raise ModelNotFoundError(
            f"VLLM_MODEL={value!r}: the directory holds no config.json. "
            "Point it at a model in Hugging Face layout: config.json, tokenizer and safetensors."
        )
    path = path.resolve()
    return ModelSource("directory", path.name, str(path))
