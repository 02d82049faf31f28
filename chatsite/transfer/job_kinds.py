"""The two kinds of job that this package runs: an export and an import."""

from __future__ import annotations

import shutil
from uuid import UUID

from chatsite.jobs import actions as jobs
from chatsite.jobs.models import Job
from chatsite.jobs.worker import JobFailedError
from chatsite.transfer.exporting import write_all, write_one
from chatsite.transfer.importing import import_file
from chatsite.transfer.render.pdf import PdfUnavailableError
from chatsite.transfer.uploading import UPLOAD
from chatsite.transfer.validation import ImportRefusedError

DETAILS = "import-report.csv"
"""All that an import replaced or left out, for a day."""


def run_export(job: Job) -> None:
    """Write the export into the job's folder. Raises JobFailedError where no PDF can be made here."""
    folder = jobs.folder_of(job.id)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    wanted, tell = job.request, jobs.progress_reporter(job.id)
    try:
        if wanted.get("conversation"):
            leaf = UUID(wanted["leaf"]) if wanted.get("leaf") else None
            path = write_one(job.owner_id, UUID(wanted["conversation"]), leaf, wanted["format"], folder, tell)
        else:
            path = write_all(job.owner_id, wanted["format"], folder, tell)
    except PdfUnavailableError as error:
        raise JobFailedError(str(error)) from error
    if not jobs.do_finish_job(job.id, file=path.name, size=path.stat().st_size):
        raise jobs.JobCancelledError


def run_import(job: Job) -> None:
    """Store what the uploaded file holds. Raises JobFailedError where it is refused whole."""
    folder = jobs.folder_of(job.id)
    details = folder / DETAILS
    try:
        report = import_file(job.owner_id, folder / UPLOAD, jobs.progress_reporter(job.id), details)
    except ImportRefusedError as refusal:
        raise JobFailedError(refusal.reason, refusal.place) from refusal
    (folder / UPLOAD).unlink(missing_ok=True)
    held = {"file": DETAILS, "size": details.stat().st_size} if details.exists() else {}
    jobs.do_finish_job(job.id, result=report.as_result(), **held)
    if not held:
        shutil.rmtree(folder, ignore_errors=True)
