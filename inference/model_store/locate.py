"""Where the model's files lie on this machine, if they do: for whoever counts tokens without an engine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from inference.model_store.embedded import EMBEDDED_NAME, embedded_path
from inference.model_store.resolve import resolve_model


def model_directory(environment: Mapping[str, str], data_dir: Path) -> Path | None:
    """The directory with tokenizer and template; None while it is not here. Raises ModelNotFoundError."""
    if environment.get("CHATSITE_ENGINE", "").strip() == "emulated":
        return None
    source = resolve_model(environment.get("VLLM_MODEL", ""), EMBEDDED_NAME)
    match source.kind:
        case "embedded":
            path = embedded_path(data_dir)
        case "directory":
            path = Path(source.location)
        case "hub":
            path = _snapshot(environment, source.location)
    return path if (path / "tokenizer.json").is_file() else None


def _snapshot(environment: Mapping[str, str], name: str) -> Path:
    """The hub's own cache layout: models--OWNER--NAME, the revision that refs/main names."""
    home = Path(environment.get("HF_HOME") or "~/.cache/huggingface").expanduser()
    cache = Path(environment.get("HF_HUB_CACHE") or home / "hub")
    model = cache / f"models--{name.replace('/', '--')}"
    revision = model / "refs" / "main"
    return model / "snapshots" / (revision.read_text().strip() if revision.is_file() else "none")
