"""Upload of an import file in parts: Daphne holds each request's body in memory, so none of them is large."""

from __future__ import annotations

from typing import IO, Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import get_language

from chatsite.errors import Refusal
from chatsite.jobs import actions as jobs
from chatsite.jobs.models import Job
from chatsite.jobs.process import start_job_after_commit

MAX_PART_BYTES = 2**20
READ_BYTES = 256 * 1024

UPLOAD = "upload"
"""Name of the file that an import was given."""


def do_create_import(user: int, size: int) -> Job:
    """Create an import job that waits for its file; a half-sent one is cancelled. Raises Refusal."""
    if size > settings.MAX_IMPORT_BYTES:
        raise Refusal(
            "too_long",
            f"The file has {size:,} bytes; {settings.MAX_IMPORT_BYTES:,} are taken at most. "
            "Leave pictures out of the zip, or import its conversations.json alone.",
        )
    for left in Job.objects.filter(asked_by_id=user, status=Job.Status.RECEIVING):
        jobs.do_cancel_job(user, left.id)
    wanted = {"size": size, "language": get_language() or "en"}
    with transaction.atomic():
        job = jobs.do_create_job(user, user, Job.Kind.IMPORT, wanted, status=Job.Status.RECEIVING)
        jobs.folder_of(job.id).mkdir(mode=0o700, parents=True)
        (jobs.folder_of(job.id) / UPLOAD).touch(mode=0o600)
    return job


def do_append_import(user: int, id: UUID, offset: int, source: Any) -> Job:
    """Write the next part of the file; the import starts when it is complete. Raises Refusal."""
    job = jobs.access_job(user, id)
    path = jobs.folder_of(job.id) / UPLOAD
    if job.status != Job.Status.RECEIVING or not path.is_file():
        raise Refusal("not_found", "This import waits for no file.")
    size = job.request["size"]
    with path.open("r+b") as file:
        if offset > path.stat().st_size:
            raise Refusal("bad_frame", f"offset={offset}: only {path.stat().st_size} bytes came before.")
        file.seek(offset)
        _copy(source, file, min(MAX_PART_BYTES, size - offset))
        file.truncate()
        held = file.tell()
    whole = held == size
    with transaction.atomic():
        fields = {"status": Job.Status.QUEUED} if whole else {}
        Job.objects.filter(id=job.id, status=Job.Status.RECEIVING).update(
            size=held, alive_at=timezone.now(), **fields
        )
        if whole:
            start_job_after_commit(job.id)
    job.refresh_from_db()
    return job


def _copy(source: Any, file: IO[bytes], most: int) -> None:
    """Raises Refusal where more comes than was announced."""
    while part := source.read(READ_BYTES):
        most -= len(part)
        if most < 0:
            raise Refusal("too_long", "More came than was announced, or than one part may have.")
        file.write(part)
