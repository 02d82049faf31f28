"""Build the vLLM engine from its settings and serve it, reporting progress on the way."""

from __future__ import annotations

import asyncio
import logging
import socket

import msgspec
from msgspec.structs import replace

from inference.engines.vllm.host.wire import BuildEngine, Failed, Ready, Starting, pack, receive
from inference.engines.vllm.settings import EngineSettings

logger = logging.getLogger(__name__)


def build_and_serve(connection: socket.socket, settings_json: str) -> int:
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

    from inference.engines.vllm.host.arguments import (
        engine_arguments,
        engine_info,
        grammar_vocabulary,
        supports_structured_output,
    )
    from inference.engines.vllm.host.grammar_gate import GrammarGate
    from inference.engines.vllm.host.host import Host
    from inference.engines.vllm.host.stat_logger import StepStatLogger

    build = msgspec.msgpack.decode(receive(connection), type=BuildEngine)
    settings = replace(settings, model=build.model)
    connection.sendall(pack(Starting(f"Loading {settings.model.name}")))
    stat_logger = StepStatLogger()
    engine = AsyncLLM.from_engine_args(
        engine_arguments(settings), stat_loggers=[lambda config, index: stat_logger]
    )
    tokenizer = engine.renderer.get_tokenizer()
    host = Host(
        engine, stat_logger, GrammarGate(grammar_vocabulary(tokenizer, engine.model_config.get_vocab_size()))
    )
    info = engine_info(settings, engine.vllm_config, structured=supports_structured_output(tokenizer))
    await host.serve(connection, Ready(replace(info, capabilities=host.capabilities)))
    return 0 if host.closed else 1
