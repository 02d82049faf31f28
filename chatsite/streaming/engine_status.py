"""The inference process's board, as the page is told of it."""

from __future__ import annotations

from chatsite.streaming.frames import EngineStatus
from inference.board import Board


def engine_status(board: Board) -> EngineStatus:
    """What a person needs to know of the engine."""
    info = board.info
    return EngineStatus(
        state=board.state,
        detail=board.detail,
        progress=board.progress,
        model=info.model if info else "",
        emulated=bool(info and info.engine == "emulated"),
        context_tokens=info.context_tokens if info else 0,
        waiting=sum(board.waiting.values()),
        running=sum(board.running.values()),
    )
