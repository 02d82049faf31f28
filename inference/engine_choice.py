"""Which engine this process runs: CHATSITE_ENGINE, and what that one is called in print."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from inference.engines.base import Engine

ENGINES = ("vllm", "remote", "emulated")


def chosen_engine(env: Mapping[str, str]) -> str:
    """The engine's name. Raises ValueError that names the value and the rule."""
    name = env.get("CHATSITE_ENGINE", "").strip() or "vllm"
    if name not in ENGINES:
        raise ValueError(f"CHATSITE_ENGINE={name!r}: must be one of {', '.join(ENGINES)}.")
    return name


def engine_factory(env: Mapping[str, str], data_dir: Path) -> Callable[[], Engine]:
    """Builds a fresh, unstarted engine each time. Settings are validated here, once.

    Raises ValueError that names the variable, the value and the rule.
    """
    match chosen_engine(env):
        case "emulated":
            from inference.engines.emulated import EmulatedEngine, EmulatedSettings

            emulated = EmulatedSettings.from_env(env)
            return lambda: EmulatedEngine(emulated)
        case "vllm":
            from inference.engine_settings import read_settings
            from inference.engines.vllm import VllmEngine

            settings = read_settings(env, data_dir)
            return lambda: VllmEngine(settings)
        case _:
            from inference.engines.remote import RemoteEngine
            from inference.replicas.settings import RemoteSettings

            remote = RemoteSettings.from_env(env)
            return lambda: RemoteEngine(remote)
