"""Which engine this process runs: CHATSITE_ENGINE, how to build one, and how many requests it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from inference.engines.base import Engine

ENGINES = ("vllm", "remote", "emulated")


CPU_CLASSES = {"quick_uncached_tokens": 64, "heavy_uncached_tokens": 128}
"""Borders of the classes on processors. Two cores prefill some hundred tokens a second where a card does
nine thousand, in steps of 256: a quarter of one is quick, more than half of one is felt by everybody.
`bench scheduling` measures the real engine with these."""


class EngineChoice(NamedTuple):
    """`build` makes a fresh, unstarted engine each time. `slots` is how many requests it runs at once,
    `policy` what this engine changes of the policy's defaults.
    """

    name: str
    slots: int
    build: Callable[[], Engine]
    policy: Mapping[str, Any] = MappingProxyType({})


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
            policy = CPU_CLASSES if settings.device == "cpu" else {}
            return EngineChoice(name, settings.max_num_seqs, lambda: VllmEngine(settings), policy)
        case "remote":
            from inference.engines.remote import RemoteEngine
            from inference.replicas.settings import RemoteSettings

            remote = RemoteSettings.from_env(env)
            return EngineChoice(name, remote.slots * len(remote.urls), lambda: RemoteEngine(remote))
        case _:
            raise ValueError(f"CHATSITE_ENGINE={name!r}: must be one of {', '.join(ENGINES)}.")
