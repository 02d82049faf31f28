"""`manage.py import_conversations <e-mail> <file>`: an export of any known kind becomes this person's."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chatsite.accounts.models import User
from chatsite.archive.checking import ImportRefusedError
from chatsite.archive.importing import import_file
from chatsite.archive.progress import Progress


class Command(BaseCommand):
    help = "Import this site's, ChatGPT's or Open WebUI's export. What is there already is not doubled."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, email: str, file: Path, **options: Any) -> None:
        user = User.objects.filter(email__iexact=email).first()
        if user is None:
            raise CommandError(f"{email}: there is no such account.")
        if not file.is_file():
            raise CommandError(f"{file}: there is no such file.")
        try:
            counts = import_file(user.pk, file, Progress(self.stdout))
        except ImportRefusedError as refusal:
            raise CommandError(f"Nothing was imported. {refusal}") from refusal
        words = "{new} new, {grown} continued, {known} already here".format(**counts)
        self.stdout.write(self.style.SUCCESS(words))
