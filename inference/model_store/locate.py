"""Where the model's files lie on this machine, if they do: for whoever counts tokens without an engine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from inference.model_store.embedded import EMBEDDED_NAME, embedded_path
from inference.model_store.resolve import HUB_ID, ModelNotFoundError, resolve_model


def model_directory(environment: Mapping[str, str], data_dir: Path) -> Path | None:
    """The directory with tokenizer and template; None while it is not here. Raises ModelNotFoundError."""
    match environment.get("CHATSITE_ENGINE", "").strip():
        case "emulated":
            return None
        case "remote":
            return remote_tokenizer(environment)
    source = resolve_model(environment.get("VLLM_MODEL", ""), EMBEDDED_NAME)
    match source.kind:
        case "embedded":
            path = embedded_path(data_dir)
        case "directory":
            path = Path(source.location)
        case "hub":
            path = _snapshot(environment, source.location)
    return path if (path / "tokenizer.json").is_file() else None


def remote_tokenizer(environment: Mapping[str, str]) -> Path | None:
    """The directory that CHATSITE_REMOTE_TOKENIZER names, or a hub model's in the local cache; None if unset.

    Raises ModelNotFoundError: whoever sets it relies on exact counts and on exact control tokens.
    """
    value = environment.get("CHATSITE_REMOTE_TOKENIZER", "").strip()
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
    """The hub's own cache layout: models--OWNER--NAME, the revision that refs/main names."""
    home = Path(environment.get("HF_HOME") or "~/.cache/huggingface").expanduser()
    cache = Path(environment.get("HF_HUB_CACHE") or home / "hub")
    model = cache / f"models--{name.replace('/', '--')}"
    revision = model / "refs" / "main"
    return model / "snapshots" / (revision.read_text().strip() if revision.is_file() else "none")
