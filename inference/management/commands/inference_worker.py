"""`manage.py inference_worker`: the background consumer alone, beside any number of web processes."""

from __future__ import annotations

import asyncio
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from chatsite.accounts.first_admin import ensure_first_admin
from inference.management.start_block import admin_lines, start_block
from inference.worker.server import build_service, work


class Command(BaseCommand):
    help = "Run the inference consumer: it owns the engine and the one priority queue."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.REDIS_URL:
            raise CommandError(
                "REDIS_URL is not set: an inference process of its own reaches web processes through Redis. "
                "Set it, or run everything in one process with `manage.py serve`."
            )
        service = build_service()
        # A standby may start at the same moment; one of them makes the administrator.
        if admin := ensure_first_admin():
            lines = [*admin_lines(admin), ("Engine", service.engine.name), ("Data", str(settings.DATA_DIR))]
            self.stdout.write(start_block(lines))
            self.stdout.flush()
        asyncio.run(work(service))
