"""`manage.py inference_worker`: the background consumer alone, beside any number of web processes."""

from __future__ import annotations

import asyncio
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from chatsite.accounts.first_admin import ensure_first_admin
from chatsite.schema_state import check_migrated
from inference.management.server import build_service, end_process, work
from inference.management.startup_banner import admin_lines, startup_banner


class Command(BaseCommand):
    help = "Run the inference consumer: it owns the engine and the one priority queue."

    def handle(self, *args: Any, **options: Any) -> None:
        check_migrated()
        service = build_service()
        # A standby may start at the same moment; one of them makes the administrator.
        if admin := ensure_first_admin():
            lines = [*admin_lines(admin), ("Engine", service.engine.name), ("Data", str(settings.DATA_DIR))]
            self.stdout.write(startup_banner(lines))
            self.stdout.flush()
        try:
            asyncio.run(work(service))
        except Exception:
            end_process()
