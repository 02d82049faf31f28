"""Health endpoints: liveness, readiness, Prometheus metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qs

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.crypto import constant_time_compare
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from chatsite.backends import status_store
from chatsite.database import read
from chatsite.environment.declared import ConfigurationError
from chatsite.metrics import REGISTRY
from chatsite.schema_state import check_migrated
from chatsite.server.assets import is_collected
from chatsite.server.drain import web_drain
from inference.status import InferenceStatus, current_status

T = TypeVar("T")

CHECK_LIMIT_S = 1.5
"""For one check: who asks gives up after two seconds, as a rule."""

GIVEN_UP_S = 10.0
"""A check that hangs for so long is begun anew: a broken connection has been noticed by then."""

INTAKE_SILENT_S = 10.0
"""Five polls of the queue that were missed."""


async def healthz(request: HttpRequest) -> HttpResponse:
    """Liveness: this process answers. Nothing else is checked, as a restart would not repair it.

    `?accepting` is for balancers: 503 from the moment at which the process begins to end.
    """
    status, text = _liveness("accepting" in request.GET)
    return HttpResponse(text, content_type="text/plain", status=status)


async def healthz_application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """`healthz` as an ASGI application of its own: what is asked most often passes no middleware."""
    status, text = _liveness(b"accepting" in parse_qs(scope["query_string"], keep_blank_values=True))
    headers = [
        (b"content-type", b"text/plain"),
        (b"content-length", str(len(text)).encode()),
        (b"x-content-type-options", b"nosniff"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})


def _liveness(accepting: bool) -> tuple[int, bytes]:
    """Status and body."""
    return (503, b"This process ends.\n") if accepting and web_drain.begun else (200, b"ok\n")


async def readyz(request: HttpRequest) -> HttpResponse:
    """Readiness: 200 when a question asked now would be answered, else 503. Within 2 s, whatever is away.

    The database answers and has this version's tables, the engine is ready, the inference process reads the
    queue, the page's files are there, and this process stays.
    """
    found = await asyncio.gather(_status.result(), _database.result(), return_exceptions=True)
    status, database = found[0], "ok" if found[1] is None else type(found[1]).__name__
    if isinstance(found[1], ConfigurationError):
        database = str(found[1])
    if not isinstance(status, InferenceStatus):
        detail = f"The engine's status cannot be read: {type(status).__name__}."
        status = InferenceStatus(at=0, state="down", detail=detail)
    age_s = status.intake_age_s
    intake = "silent" if age_s is None or age_s > INTAKE_SILENT_S else "ok"
    static = "ok" if is_collected(Path(settings.STATIC_ROOT)) else "missing: run `manage.py collectstatic`"
    ready = (status.state, database, intake, static) == ("ready", "ok", "ok", "ok") and not web_drain.begun
    told = {"ready": ready, "engine": status.state, "detail": status.detail, "intake": intake}
    told |= {"database": database, "static": static, "draining": web_drain.begun}
    return JsonResponse(told, status=200 if ready else 503)


async def metrics(request: HttpRequest) -> HttpResponse:
    """This process's metrics in Prometheus' text format."""
    if not _may_read_metrics(request):
        return HttpResponse("Set CHATSITE_METRICS_TOKEN and send it as a bearer token.\n", status=403)
    return HttpResponse(generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST)


def _may_read_metrics(request: HttpRequest) -> bool:
    """By bearer token where one is set; else only from this machine, and not through a proxy."""
    if settings.METRICS_TOKEN:
        given = request.headers.get("Authorization", "")
        return constant_time_compare(given, f"Bearer {settings.METRICS_TOKEN}")
    local = request.META.get("REMOTE_ADDR") in ("127.0.0.1", "::1")
    return local and "X-Forwarded-For" not in request.headers


class SharedCheck(Generic[T]):
    """A check that many ask for and that runs once at a time, so that one that hangs is not queued again."""

    def __init__(self, work: Callable[[], Awaitable[T]]) -> None:
        self._work = work
        self._running: asyncio.Future[T] | None = None
        self._begun = 0.0

    async def result(self) -> T:
        """What it found. Raises what it raised, and TimeoutError after `CHECK_LIMIT_S`."""
        running = self._running
        if running is None or running.done() or monotonic() - self._begun > GIVEN_UP_S:
            running = self._running = asyncio.ensure_future(self._work())
            running.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
            self._begun = monotonic()
        await asyncio.wait({running}, timeout=CHECK_LIMIT_S)
        if not running.done():
            raise TimeoutError
        return running.result()


async def _read_status() -> InferenceStatus:
    return await current_status(status_store())


async def _touch_database() -> None:
    def touch() -> None:
        if not _migrated.is_set():
            check_migrated()
            _migrated.set()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")

    await read(touch)


_migrated = Event()
"""Set once the tables were this version's: a newer version's `migrate` takes no running process away."""


_status, _database = SharedCheck(_read_status), SharedCheck(_touch_database)
