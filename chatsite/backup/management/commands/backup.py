"""`manage.py backup <file>`: database, documents and secret key in one file, from a running site."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chatsite.backup.making import make_backup
from chatsite.backup.manifest import BackupError


class Command(BaseCommand):
    help = "Back the whole site up into one file. The site may run meanwhile."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        try:
            manifest = make_backup(file, self.stdout.write)
        except (BackupError, OSError) as error:
            raise CommandError(str(error)) from error
        key = "It holds the secret key" if manifest.has_secret_key else "Keep CHATSITE_SECRET_KEY with it"
        words = f"{file}: {file.stat().st_size:,} bytes. {key} and everybody's words: keep it safe."
        self.stdout.write(self.style.SUCCESS(words))
