"""`manage.py run_job <id>`: the process of one export or import. Started by the site, not by people."""

from __future__ import annotations

import os
import resource
from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand

from chatsite.jobs.worker import do_run_job

NICENESS = 10
"""Behind everything that streams."""

MEMORY_BYTES = 4 * 2**30
"""Of address space: a PDF of a very long conversation takes about 1 GiB; a bomb ends here."""


class Command(BaseCommand):
    help = "Run one export or import job (the site starts this itself)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", type=UUID)

    def handle(self, *args: Any, id: UUID, **options: Any) -> None:
        os.nice(NICENESS)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        do_run_job(id)
