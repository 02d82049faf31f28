"""`manage.py reconcile`: proves that the ledger says what the answers say, and mends what died half-way."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chatsite.generations.reconcile import GONE_S, reconcile


class Command(BaseCommand):
    help = "Compare ledger, answers and kept sums; end dead reservations. Exit code 1: something stays wrong."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="Change nothing; any difference is exit code 1."
        )
        parser.add_argument(
            "--gone-s",
            type=float,
            default=GONE_S,
            help="Age in seconds from which a reservation without a generation is dead (%(default)s).",
        )

    def handle(self, *args: Any, dry_run: bool, gone_s: float, **options: Any) -> None:
        differences = repaired = 0
        for difference in reconcile(repair=not dry_run, gone_s=gone_s):
            self.stdout.write(str(difference))
            differences += 1
            repaired += difference.repaired
        self.stdout.write(f"{differences} differences, {repaired} repaired")
        if differences > repaired:
            raise CommandError(f"{differences - repaired} differences remain.")
