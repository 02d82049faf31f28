"""`manage.py import_conversations <e-mail> <file>`: an export of any known kind becomes this person's."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chatsite.accounts.models import User
from chatsite.transfer.importing import import_file
from chatsite.transfer.progress import CommandLineProgress
from chatsite.transfer.report import report_lines
from chatsite.transfer.validation import ImportRefusedError


class Command(BaseCommand):
    help = (
        "Import this site's, ChatGPT's, Claude's, Open WebUI's or LibreChat's export. "
        "What is there already is not doubled."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument("file", type=Path)
        parser.add_argument("--report", type=Path, help="write all that is replaced or left out here, as CSV")

    def handle(self, *args: Any, email: str, file: Path, report: Path | None, **options: Any) -> None:
        user = User.objects.with_address(email)
        if user is None:
            raise CommandError(f"{email}: there is no such account.")
        if not file.is_file():
            raise CommandError(f"{file}: there is no such file.")
        if report and report.exists():
            raise CommandError(f"{report}: this file exists already.")
        try:
            found = import_file(user.pk, file, CommandLineProgress(self.stdout), report)
        except ImportRefusedError as refusal:
            raise CommandError(f"Nothing was imported. {refusal}") from refusal
        words = "{new} new, {grown} continued, {known} already here".format(**found.conversations)
        self.stdout.write(self.style.SUCCESS(words))
        for line in report_lines(found):
            self.stdout.write(line)
