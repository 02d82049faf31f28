"""From settings to a serving host, saying on the way what is being done."""

from __future__ import annotations

import asyncio
import logging
import socket

import msgspec

from inference.engine_host.wire import Failed, Load, Ready, Starting, pack, receive
from inference.engine_settings import EngineSettings

logger = logging.getLogger(__name__)


def start(connection: socket.socket, settings_json: str) -> int:
    """Build the engine and serve it; returns the process's exit code.

    The loop is blocked while the engine is being built, so frames until then are written directly.
    """
    settings = msgspec.json.decode(settings_json, type=EngineSettings)
    try:
        return asyncio.run(_serve(connection, settings))
    except Exception as error:
        logger.exception("The engine host failed.")
        connection.setblocking(True)
        connection.sendall(pack(Failed(str(error) or type(error).__name__)))
        return 1


async def _serve(connection: socket.socket, settings: EngineSettings) -> int:
    # Here and not above: importing vLLM takes seconds, and its failure must be reported like any other.
    from vllm.v1.engine.async_llm import AsyncLLM

    from inference.engine_host.arguments import engine_arguments, engine_info
    from inference.engine_host.counters import Counters
    from inference.engine_host.host import Host

    msgspec.msgpack.decode(receive(connection), type=Load)
    connection.sendall(pack(Starting(f"Loading {settings.model.name}")))
    counters = Counters()
    engine = AsyncLLM.from_engine_args(
        engine_arguments(settings), stat_loggers=[lambda config, index: counters]
    )
    host = Host(engine, counters)
    await host.serve(connection, Ready(engine_info(settings, engine.vllm_config)))
    return 0 if host.closed else 1
