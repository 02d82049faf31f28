"""`manage.py retention`: what the policy says, what is due, and erasing that now."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from chatsite.conversations.scrub import scrub_to_the_end
from chatsite.retention.cleanup import conversations_past_retention, erase_past_retention, read_policy
from chatsite.slices import SliceBudget


class Command(BaseCommand):
    help = (
        "Say which conversations' time is over; with --erase, erase them (the running site does by itself)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--erase", action="store_true")

    def handle(self, *args: Any, erase: bool, **options: Any) -> None:
        policy, total = read_policy(), conversations_past_retention(timezone.now()).count()
        kept = ", pinned ones apart" if policy.days and policy.spare_pinned else ""
        self.stdout.write(f"Conversations stay {f'{policy.days} days' if policy.days else 'for ever'}{kept}.")
        self.stdout.write(f"{total} are due.")
        if not erase or not total:
            return
        pauses = SliceBudget()
        while erase_past_retention():
            left = conversations_past_retention(timezone.now()).count()
            self.stdout.write(f"\r{max(0, total - left)} of {total} erased", ending="")
            self.stdout.flush()
            pauses.pause()
        scrub_to_the_end()
        self.stdout.write("")
