"""Processes: the embedded one (web and inference on one event loop) and the inference process alone."""

from __future__ import annotations

import asyncio
import signal
import socket
from typing import TYPE_CHECKING

import structlog
from django.conf import settings
from django.core.management.base import CommandError

from inference.worker.service import InferenceService, end_all

if TYPE_CHECKING:
    from daphne.server import Server

log = structlog.get_logger(__name__)

DRAIN_S = 5.0
"""How long running answers may go on after Ctrl-C before they are kept as interrupted."""

END_S = 10.0
"""For the parts of a drained service to end: closing an engine takes seconds."""


def build_service() -> InferenceService:
    """The service, its settings checked. Raises CommandError that names what is wrong."""
    try:
        return InferenceService()
    except ValueError as error:
        raise CommandError(str(error)) from error


def serve(service: InferenceService, host: str, port: int) -> None:
    """Web and inference until SIGINT or SIGTERM. Raises OSError where the address cannot be had.

    Raises what the inference service died of: half a site is none.
    """
    _check_address(host, port)
    from daphne.endpoints import build_endpoint_description_strings
    from daphne.server import Server, twisted_loop

    from chatsite.asgi import application

    asyncio.set_event_loop(twisted_loop)
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
    """The inference service alone until SIGINT or SIGTERM, with its own metrics port."""
    from prometheus_client import start_http_server

    start_http_server(settings.METRICS_PORT, settings.HOST)
    await _run(service)


async def _run(service: InferenceService) -> None:
    """Until a signal asks for the end, then drain; a second signal ends at once."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked.set)
    running = asyncio.create_task(service.run())
    waiting = asyncio.create_task(asked.wait())
    await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.remove_signal_handler(number)
    if asked.is_set():
        log.info("draining", seconds=DRAIN_S)
        await service.drain(DRAIN_S)
        await asyncio.wait({running}, timeout=END_S)  # it ends by itself, part after part
    await end_all([waiting, running])
    if not running.cancelled():
        running.result()


def _check_address(host: str, port: int) -> None:
    """Try to bind before the server does, whose own failure is a log line and an exit."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host.strip("[]"), port))
