"""`manage.py serve`: the whole site in one process, on SQLite and this process's memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

from chatsite.accounts.first_admin import FirstAdmin, ensure_first_admin
from inference.management.serve_lock import lock_data_dir
from inference.management.server import build_service, serve
from inference.management.startup_banner import admin_lines, name_lines, startup_banner


class Command(BaseCommand):
    help = "Run the web tier and the inference consumer in one process."
    requires_system_checks = "__all__"

    def handle(self, *args: Any, **options: Any) -> None:
        with lock_data_dir(Path(settings.DATA_DIR), f"http://{settings.HOST}:{settings.PORT}/"):
            service = build_service()
            call_command("migrate", interactive=False, verbosity=0)
            call_command("collectstatic", interactive=False, verbosity=0)
            self._print_block(ensure_first_admin(), service.engine.name)
            serve(service, settings.HOST, settings.PORT)

    def _print_block(self, admin: FirstAdmin | None, engine: str) -> None:
        block = startup_banner(
            [
                ("Address", f"http://{settings.HOST}:{settings.PORT}/"),
                *name_lines(settings.HOST, settings.ALLOWED_HOSTS),
                *admin_lines(admin),
                ("Engine", engine),
                ("Data", str(settings.DATA_DIR)),
            ]
        )
        self.stdout.write(block)
        self.stdout.flush()
