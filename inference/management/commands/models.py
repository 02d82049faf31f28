"""`manage.py models check`: what a model can do and what is wrong with it, before anything is loaded."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from inference.model_capabilities import Capabilities, model_capabilities
from inference.model_store.source import model_directory
from inference.setting import SettingError


class Command(BaseCommand):
    help = (
        "Read from a model's files what it can do: context, roles, tools, reasoning. Loads no weights. "
        "Exit code 1 where something is wrong with its chat template."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["check"])
        parser.add_argument(
            "directory", nargs="?", help="the model's files (default: the model of this site)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        directory = _directory(options["directory"])
        found = model_capabilities(directory)
        self.stdout.write(f"{directory}\n")
        for name, value in rows(found):
            self.stdout.write(f"  {name.ljust(22)}{value}")
        if found.problems:
            raise CommandError("\n".join(found.problems), returncode=1)


def rows(found: Capabilities) -> list[tuple[str, str]]:
    """Names and values for people."""
    return [
        ("Context", f"{found.context_tokens:,} tokens" if found.context_tokens else "not told"),
        ("System role", "yes" if found.system else "no: put before the first question"),
        ("Developer role", "yes" if found.developer else "no: taken as the system's"),
        ("Tools", "yes" if found.tools else "no"),
        ("Reasoning", f"<{found.reasoning}>" if found.reasoning else "no"),
        ("Questions in a row", "merged into one turn" if found.alternates else "yes"),
    ]


def _directory(given: str | None) -> Path:
    """Raises CommandError."""
    if given is not None:
        directory = Path(given).expanduser()
        if not directory.is_dir():
            raise CommandError(f"{given}: there is no such directory.")
        return directory
    try:
        found = model_directory(os.environ, Path(settings.DATA_DIR))
    except SettingError as error:
        raise CommandError(str(error)) from error
    if found is None:
        raise CommandError(
            "The site's model is not on this machine yet. Start the site, or name a directory."
        )
    return found
