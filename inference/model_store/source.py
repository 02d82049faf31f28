"""Which model VLLM_MODEL names (embedded, a local directory, the hub), and where its files are on this
machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from inference.model_store.demo_models import DEMO_MODEL, SMOLLM2, demo_path
from inference.model_store.embedded import served_demo
from inference.setting import SettingError, text

HUB_ID = re.compile(r"^[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?$")
"""The hub's own rule: letters, digits, `-`, `_`, `.`, at most 96 characters, one optional owner."""

PATH_STARTS = ("/", "./", "../", "~")
"""Beginnings of a path, which no hub name has."""


MODEL = text("VLLM_MODEL")

REMOTE_TOKENIZER = text("CHATSITE_REMOTE_TOKENIZER")


class ModelNotFoundError(SettingError):
    """A setting names no model; the message has the value, the rule and the remedy."""


class ModelSource(msgspec.Struct, frozen=True):
    """A resolved model. `name` is for people, `location` is what the engine loads.

    `location` is a directory or a hub name, and "" for the demonstration model until it is prepared.
    """

    kind: Literal["embedded", "directory", "hub"]
    name: str
    location: str


DEMONSTRATION = ModelSource("embedded", "the demonstration model", "")
"""What an empty VLLM_MODEL asks for; which one it is turns out at the start."""


def resolve_model(value: str) -> ModelSource:
    """Resolve a value of VLLM_MODEL. Raises ModelNotFoundError."""
    value = value.strip()
    if not value:
        return DEMONSTRATION
    path = Path(value).expanduser()
    if path.exists():
        return _check_directory(value, path)
    if value.startswith(PATH_STARTS):
        raise ModelNotFoundError(
            f"VLLM_MODEL={value!r}: there is no such directory. "
            "Give a directory with config.json and weights, a hub name such as "
            "Qwen/Qwen3-4B-Instruct-2507, or nothing for the demonstration model."
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


def model_directory(environment: Mapping[str, str], data_dir: Path) -> Path | None:
    """The directory with tokenizer and chat template; None while it is not here. Raises
    ModelNotFoundError."""
    match environment.get("CHATSITE_ENGINE", "").strip().lower():
        case "emulated":
            return None
        case "remote":
            return remote_tokenizer(environment)
    source = resolve_model(MODEL.read(environment))
    match source.kind:
        case "embedded":
            path = _demonstration(environment, data_dir)
        case "directory":
            path = Path(source.location)
        case "hub":
            path = _snapshot(environment, source.location)
    return path if (path / "tokenizer.json").is_file() else None


def _demonstration(environment: Mapping[str, str], data_dir: Path) -> Path:
    """That of the model which was prepared last; before, the one that the setting alone decides."""
    if DEMO_MODEL.read(environment) == SMOLLM2.key:
        return demo_path(SMOLLM2, data_dir)
    served = served_demo(data_dir)
    return demo_path(served, data_dir) if served else data_dir / "none"


def remote_tokenizer(environment: Mapping[str, str]) -> Path | None:
    """The directory that CHATSITE_REMOTE_TOKENIZER names, or a hub model's in the local cache; None if unset.

    Raises ModelNotFoundError: who sets it relies on exact counts and on exact control tokens.
    """
    value: str = REMOTE_TOKENIZER.read(environment)
    if not value:
        return None
    path = Path(value).expanduser()
    if not path.is_dir() and HUB_ID.match(value):
        path = _snapshot(environment, value)
    if not (path / "tokenizer.json").is_file():
        raise ModelNotFoundError(
            f"CHATSITE_REMOTE_TOKENIZER={value!r}: no tokenizer.json there. Give a directory with the "
            "model's tokenizer.json, tokenizer_config.json and chat template, or a hub name that is in this "
            "machine's cache; or leave it empty."
        )
    return path


def _snapshot(environment: Mapping[str, str], name: str) -> Path:
    """The snapshot in the hub's cache layout: models--OWNER--NAME, the revision that refs/main names."""
    home = Path(environment.get("HF_HOME") or "~/.cache/huggingface").expanduser()
    cache = Path(environment.get("HF_HUB_CACHE") or home / "hub")
    model = cache / f"models--{name.replace('/', '--')}"
    revision = model / "refs" / "main"
    return model / "snapshots" / (revision.read_text().strip() if revision.is_file() else "none")
