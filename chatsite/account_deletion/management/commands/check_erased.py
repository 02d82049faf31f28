"""`manage.py check_erased <id>`: proves that nothing is left of an account that was erased."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chatsite.account_deletion.proof import what_remains


class Command(BaseCommand):
    help = "Look for what is left of an erased account, in all tables and files. Exit code 1: something is."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", type=int, help="The account's number (erase_account and the audit say it).")
        parser.add_argument("--email", default="", help="Search every text for this address too.")

        parser.add_argument(
            "--text", action="append", default=[], help="Search SQLite's files for this text, too."
        )

    def handle(self, *args: Any, id: int, email: str, text: list[str], **options: Any) -> None:
        left = list(what_remains(id, email, text))
        for line in left:
            self.stdout.write(line)
        if left:
            raise CommandError(f"Account {id} is not erased.")
        self.stdout.write(self.style.SUCCESS(f"Nothing is left of account {id}."))
