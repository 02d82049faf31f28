"""Which engine this process runs: CHATSITE_ENGINE, how to build one, and how many requests it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from inference.engines.base import Engine

ENGINES = ("vllm", "remote", "emulated")


class EngineChoice(NamedTuple):
    """`build` makes a fresh, unstarted engine each time. `slots` is how many requests it runs at once."""

    name: str
    slots: int
    build: Callable[[], Engine]


def choose_engine(env: Mapping[str, str], data_dir: Path) -> EngineChoice:
    """What the environment asks for, its settings validated. Raises ValueError naming variable and rule."""
    name = env.get("CHATSITE_ENGINE", "").strip() or "vllm"
    match name:
        case "emulated":
            from inference.engines.emulated import EmulatedEngine, EmulatedSettings

            emulated = EmulatedSettings.from_env(env)
            return EngineChoice(name, emulated.timing.max_running, lambda: EmulatedEngine(emulated))
        case "vllm":
            from inference.engine_settings import read_settings
            from inference.engines.vllm import VllmEngine

            settings = read_settings(env, data_dir)
            return EngineChoice(name, settings.max_num_seqs, lambda: VllmEngine(settings))
        case "remote":
            from inference.engines.remote import RemoteEngine
            from inference.replicas.settings import RemoteSettings

            remote = RemoteSettings.from_env(env)
            return EngineChoice(name, remote.slots * len(remote.urls), lambda: RemoteEngine(remote))
        case _:
            raise ValueError(f"CHATSITE_ENGINE={name!r}: must be one of {', '.join(ENGINES)}.")
