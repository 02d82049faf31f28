"""Is it alive, is it ready, and in figures: for machines."""

from __future__ import annotations

from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
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
    return HttpResponse(generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST)


def _touch_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
