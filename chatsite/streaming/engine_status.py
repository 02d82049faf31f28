"""The engine status frame, made from the inference process's status."""

from __future__ import annotations

from chatsite.streaming.frames import EngineStatus
from inference.status import InferenceStatus


def engine_status(status: InferenceStatus) -> EngineStatus:
    """What a person needs to know of the engine."""
    info = status.info
    return EngineStatus(
        state=status.state,
        detail=status.detail or (info.note if info else ""),
        progress=status.progress,
        model=info.model if info else "",
        emulated=bool(info and info.engine == "emulated"),
        context_tokens=info.context_tokens if info else 0,
        waiting=sum(status.waiting.values()),
        running=sum(status.running.values()),
    )
