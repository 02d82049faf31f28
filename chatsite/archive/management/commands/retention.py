"""`manage.py retention`: what the policy says, what is due, and erasing that now."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from chatsite.archive.retention import due, erase_due, read_policy


class Command(BaseCommand):
    help = (
        "Say which conversations' time is over; with --erase, erase them (the running site does by itself)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--erase", action="store_true")

    def handle(self, *args: Any, erase: bool, **options: Any) -> None:
        policy, total = read_policy(), due(timezone.now()).count()
        kept = ", pinned ones apart" if policy.days and policy.spare_pinned else ""
        self.stdout.write(f"Conversations stay {f'{policy.days} days' if policy.days else 'for ever'}{kept}.")
        self.stdout.write(f"{total} are due.")
        done = 0
        while erase and (count := erase_due()):
            done += count
            self.stdout.write(f"\r{done} of {total} erased", ending="")
            self.stdout.flush()
        if done:
            self.stdout.write("")
