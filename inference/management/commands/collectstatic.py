"""`manage.py collectstatic`: Django's, into a folder of the build's own that appears when it is whole."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.management.commands import collectstatic

from chatsite.server.assets import (
    folder_in_the_making,
    is_collected,
    note_start,
    publish_build,
    remove_old_builds,
)
from chatsite.server.static_storage import StaticStorage


class Command(collectstatic.Command):
    def handle(self, **options: Any) -> str | None:
        build = Path(settings.STATIC_ROOT)
        if options["dry_run"]:
            return super().handle(**options)
        said = None
        if not is_collected(build):
            said = self._collect(build, options)
        note_start(build)
        remove_old_builds(build.parent)
        return said

    def _collect(self, build: Path, options: dict[str, Any]) -> str | None:
        making = folder_in_the_making(build)
        self.storage = StaticStorage(location=making)
        try:
            said: str | None = super().handle(**options)
            publish_build(making, build)
        finally:
            shutil.rmtree(making, ignore_errors=True)
        return said
