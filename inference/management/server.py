"""Processes: the embedded one (web and inference on one event loop) and the inference process alone."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import structlog
from django.conf import settings

from chatsite.environment.declared import ConfigurationError
from inference.management.health_server import start_health_server
from inference.management.preflight import check_bindable
from inference.setting import SettingError
from inference.worker.service import InferenceService, end_all

if TYPE_CHECKING:
    from daphne.server import Server

log = structlog.get_logger(__name__)

INTERRUPT_S = 5.0
"""How long running answers may go on after Ctrl-C, whose sender waits; SIGTERM: CHATSITE_DRAIN_S."""

END_S = 10.0
"""For the parts of a drained service to end: closing an engine takes seconds."""


def build_service() -> InferenceService:
    """The service, its settings checked. Raises ConfigurationError that names what is wrong."""
    try:
        return InferenceService()
    except SettingError as error:
        raise ConfigurationError(str(error)) from error


def serve(service: InferenceService, host: str, port: int) -> None:
    """Web and inference until SIGINT or SIGTERM. Raises ConfigurationError where the address cannot be had.

    Raises what the inference service died of: half a site is none.
    """
    check_bindable(host, "PORT", port)
    from daphne.endpoints import build_endpoint_description_strings
    from daphne.server import Server, twisted_loop

    from chatsite.asgi import application
    from chatsite.server.drain import web_drain

    asyncio.set_event_loop(twisted_loop)
    web_drain.alone = True
    tasks: list[asyncio.Task[None]] = []

    def begin() -> None:
        tasks.append(twisted_loop.create_task(_beside(server, service)))

    server = Server(
        application,
        endpoints=build_endpoint_description_strings(host=host, port=port),
        signal_handlers=False,
        ready_callable=begin,
        server_name="chatsite",
    )
    server.run()
    for task in tasks:
        task.result()


async def _beside(server: Server, service: InferenceService) -> None:
    """The inference service beside the web server; when it ends, so does the server."""
    try:
        await _run(service)
    finally:
        server.stop()


async def work(service: InferenceService) -> None:
    """The inference service alone until SIGINT or SIGTERM, with its own port for metrics and health."""
    start_health_server(settings.HOST, settings.METRICS_PORT, service.liveness)
    await _run(service)


def end_process() -> NoReturn:
    """End the inference process after the error at hand. Call it in an `except`.

    Without waiting for its threads: some may wait for a database that never answers, and nobody supervises a
    process that does not end.
    """
    log.exception("inference_ended")
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)


async def _run(service: InferenceService) -> None:
    """Until a signal asks for the end, then drain; a second signal ends at once."""
    loop = asyncio.get_running_loop()
    asked: asyncio.Future[float] = loop.create_future()
    drains = {signal.SIGINT: INTERRUPT_S, signal.SIGTERM: float(settings.DRAIN_S)}
    for number, seconds in drains.items():
        loop.add_signal_handler(number, partial(_ask, asked, min(seconds, settings.DRAIN_S)))
    running = asyncio.create_task(service.run())
    both: set[asyncio.Future[Any]] = {running, asked}
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    for number in drains:
        loop.remove_signal_handler(number)
    if asked.done() and service.owns_queue:
        log.info("draining", seconds=asked.result())
        await service.drain(asked.result())
        await asyncio.wait({running}, timeout=END_S)  # it ends by itself, part after part
    await end_all([running])
    if not running.cancelled():
        running.result()


def _ask(asked: asyncio.Future[float], seconds: float) -> None:
    if not asked.done():
        asked.set_result(seconds)
