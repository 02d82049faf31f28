"""`manage.py serve`: the whole site in one process, on SQLite and this process's memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from chatsite.accounts.first_admin import FirstAdmin, ensure_first_admin
from chatsite.assets import is_collected, mark_collected
from inference.management.start_block import admin_lines, name_lines, start_block
from inference.worker.server import build_service, serve


class Command(BaseCommand):
    help = "Run the web tier and the inference consumer in one process."
    requires_system_checks = "__all__"

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        self._collect_static(Path(settings.STATIC_ROOT))
        service = build_service()
        self._print_block(ensure_first_admin(), service.engine.name)
        try:
            serve(service, settings.HOST, settings.PORT)
        except OSError as error:
            raise CommandError(
                f"HOST={settings.HOST} PORT={settings.PORT}: cannot listen ({error.strerror}). "
                "Choose another PORT."
            ) from error

    def _collect_static(self, root: Path) -> None:
        if not is_collected(root):
            call_command("collectstatic", interactive=False, verbosity=0, clear=True)
            mark_collected(root)

    def _print_block(self, admin: FirstAdmin | None, engine: str) -> None:
        block = start_block(
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
