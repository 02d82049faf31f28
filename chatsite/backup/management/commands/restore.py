"""`manage.py restore <file>`: make this site what it was when the backup was made."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chatsite.backup.making import restore_backup
from chatsite.backup.manifest import BackupError


class Command(BaseCommand):
    help = (
        "Restore a backup into an empty site that does not run; --replace overwrites one that holds people."
    )
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--replace", action="store_true", help="Erase what is here.")

        parser.add_argument(
            "--erasures", type=Path, help="A copy of erasures.txt, where the data directory has lost its own."
        )

    def handle(self, *args: Any, file: Path, replace: bool, erasures: Path | None, **options: Any) -> None:
        try:
            manifest = restore_backup(file, self.stdout.write, replace=replace, erasures=erasures)
        except (BackupError, OSError) as error:
            raise CommandError(str(error)) from error
        if not manifest.has_secret_key:
            self.stdout.write("The secret key is not in it: set CHATSITE_SECRET_KEY to the one of that site.")
        self.stdout.write(
            self.style.SUCCESS(f"The site is as it was on {manifest.made_at:%Y-%m-%d %H:%M} UTC.")
        )
