"""`manage.py inference_worker`: the background consumer alone, beside any number of web processes."""

from __future__ import annotations

import asyncio
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from inference.worker.server import build_service, work


class Command(BaseCommand):
    help = "Run the inference consumer: it owns the engine and the one priority queue."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.REDIS_URL:
            raise CommandError(
                "REDIS_URL is not set: an inference process of its own reaches web processes through Redis. "
                "Set it, or run everything in one process with `manage.py serve`."
            )
        asyncio.run(work(build_service()))
