"""`manage.py migrate`: Django's, one at a time, and never on a database of a newer version."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management.commands import migrate
from django.db import DatabaseError, connection

from chatsite.environment.declared import ConfigurationError
from chatsite.schema_state import check_not_newer

ADVISORY_KEY = 0x6D696772
"""The advisory lock's number: "migr" in ASCII."""


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        """Raises ConfigurationError where the database cannot be migrated."""
        with self._alone():
            check_not_newer()
            try:
                super().handle(*args, **options)
            except DatabaseError as error:
                raise ConfigurationError(
                    f"The database could not be migrated: {' '.join(str(error).split())}. It may have been "
                    "migrated by halves or changed by hand: restore a backup of it."
                ) from error

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Wait for others that migrate this database."""
        if connection.vendor == "sqlite":
            path = Path(f"{connection.settings_dict['NAME']}.lock")
            with path.open("a") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    self._say_waiting()
                    fcntl.flock(file, fcntl.LOCK_EX)
                yield
            return
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [ADVISORY_KEY])
            if not cursor.fetchone()[0]:
                self._say_waiting()
                cursor.execute("SELECT pg_advisory_lock(%s)", [ADVISORY_KEY])
        try:
            yield
        finally:
            if connection.connection is not None and not connection.connection.closed:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_advisory_unlock(%s)", [ADVISORY_KEY])

    def _say_waiting(self) -> None:
        self.stderr.write("Waiting for another `migrate` on this database.")
