"""`manage.py export <e-mail> <folder>`: everything of one person, from a shell. It is noted in the audit."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chatsite.accounts.models import User
from chatsite.audit.models import AuditEntry
from chatsite.transfer.exporting import write_all
from chatsite.transfer.progress import CommandLineProgress
from chatsite.transfer.render.formats import FORMATS
from chatsite.transfer.render.pdf import PdfUnavailableError


class Command(BaseCommand):
    help = "Export all conversations of one person into a folder."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument("folder", type=Path)
        parser.add_argument("--format", choices=list(FORMATS), default="json")

    def handle(self, *args: Any, email: str, folder: Path, format: str, **options: Any) -> None:
        user = User.objects.with_address(email)
        if user is None:
            raise CommandError(f"{email}: there is no such account.")
        if not folder.is_dir():
            raise CommandError(f"{folder}: there is no such folder.")
        AuditEntry.objects.create(
            actor_name="manage.py", action="exported all conversations", subject=f"user {user}"
        )
        try:
            path = write_all(user.pk, format, folder, CommandLineProgress(self.stdout))
        except PdfUnavailableError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(self.style.SUCCESS(f"{path}: {path.stat().st_size:,} bytes"))
