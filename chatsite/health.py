"""Is it alive, is it ready, and in figures: for machines."""

from __future__ import annotations

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.crypto import constant_time_compare
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from chatsite.database import read
from chatsite.metrics import REGISTRY
from chatsite.wiring import board_store
from inference.board import current


async def healthz(request: HttpRequest) -> HttpResponse:
    """This process answers. Nothing else is asked: a restart would not mend what lies elsewhere."""
    return HttpResponse("ok\n", content_type="text/plain")


async def readyz(request: HttpRequest) -> HttpResponse:
    """200 when a question asked now would be answered: the database is there and the engine is ready."""
    board = await current(board_store())
    try:
        await read(_touch_database)
        database = "ok"
    except Exception as error:
        database = type(error).__name__
    ready = board.state == "ready" and database == "ok"
    return JsonResponse(
        {"ready": ready, "engine": board.state, "detail": board.detail, "database": database},
        status=200 if ready else 503,
    )


async def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus' text form of this process's figures."""
    if not _may_read_metrics(request):
        return HttpResponse("Set CHATSITE_METRICS_TOKEN and send it as a bearer token.\n", status=403)
    return HttpResponse(generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST)


def _may_read_metrics(request: HttpRequest) -> bool:
    """With a token: whoever sends it. Without: this machine alone, and not through a proxy on it."""
    if settings.METRICS_TOKEN:
        given = request.headers.get("Authorization", "")
        return constant_time_compare(given, f"Bearer {settings.METRICS_TOKEN}")
    local = request.META.get("REMOTE_ADDR") in ("127.0.0.1", "::1")
    return local and "X-Forwarded-For" not in request.headers


def _touch_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
