"""Choose the engine by CHATSITE_ENGINE: how to build it and how many requests it runs at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from inference.engines.base import Engine
from inference.setting import choice

ENGINE = choice("CHATSITE_ENGINE", ("vllm", "remote", "emulated"))

CPU_CLASSES = {"quick_uncached_tokens": 64, "heavy_uncached_tokens": 128}
"""Thresholds of the request classes on CPUs. Two cores prefill some hundred tokens a second where a GPU does
nine thousand, in steps of 256: a quarter of one is quick, more than half of one is felt by everybody.
`bench scheduling` measures the real engine with these."""


class EngineChoice(NamedTuple):
    """The chosen engine. `build` makes a new, unstarted one; `slots` is how many requests it runs at once;
    `policy` overrides defaults of the scheduling policy.
    """

    name: str
    slots: int
    build: Callable[[], Engine]
    policy: Mapping[str, Any] = MappingProxyType({})


def choose_engine(env: Mapping[str, str], data_dir: Path) -> EngineChoice:
    """The engine that the environment selects, its settings validated. Raises SettingError."""
    name: str = ENGINE.read(env)
    match name:
        case "emulated":
            from inference.engines.emulated.engine import EmulatedEngine, EmulatedSettings

            emulated = EmulatedSettings.from_env(env)
            return EngineChoice(name, emulated.timing.max_running, lambda: EmulatedEngine(emulated))
        case "remote":
            from inference.engines.remote.engine import RemoteEngine
            from inference.engines.remote.settings import RemoteSettings

            remote = RemoteSettings.from_env(env)
            return EngineChoice(name, remote.slots * len(remote.urls), lambda: RemoteEngine(remote))
        case _:
            from inference.engines.vllm.engine import VllmEngine
            from inference.engines.vllm.settings import read_settings

            settings = read_settings(env, data_dir)
            policy = CPU_CLASSES if settings.device == "cpu" else {}
            return EngineChoice(name, settings.max_num_seqs, lambda: VllmEngine(settings), policy)
