"""The work of a job, in the process that was started for it."""

from __future__ import annotations

import shutil
from uuid import UUID

import structlog
from django.utils import translation

from chatsite.archive import jobs
from chatsite.archive.checking import ImportRefusedError
from chatsite.archive.exporting import write_all, write_one
from chatsite.archive.importing import import_file
from chatsite.archive.models import Job
from chatsite.archive.render.pdf import PdfUnavailableError
from chatsite.errors import Refusal

log = structlog.get_logger(__name__)

UPLOAD = "upload"
"""Name of the file that an import was given."""


def do_work(id: UUID) -> None:
    """Run the job to its end, whatever that is. Files of a job that did not finish go."""
    job = jobs.do_claim(id)
    if job is None:
        return
    try:
        with translation.override(job.request.get("language", "en")):
            (_export if job.kind == Job.Kind.EXPORT else _import)(job)
    except jobs.CancelledError:
        shutil.rmtree(jobs.folder_of(id), ignore_errors=True)
    except ImportRefusedError as refusal:
        jobs.do_fail(id, refusal.reason, refusal.place)
    except (PdfUnavailableError, Refusal) as refusal:
        jobs.do_fail(id, str(refusal))
    except MemoryError:
        jobs.do_fail(id, "This needs more memory than such work may take.")
    except OSError as error:
        log.exception("archive_job_failed", job=str(id))
        jobs.do_fail(id, f"The file could not be written or read: {error.strerror}.")
    except Exception:
        log.exception("archive_job_failed", job=str(id))
        jobs.do_fail(id, "Something broke; it has been logged. Start it again, or tell an administrator.")


def _export(job: Job) -> None:
    folder = jobs.folder_of(job.id)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    wanted, tell = job.request, jobs.teller(job.id)
    if wanted.get("conversation"):
        leaf = UUID(wanted["leaf"]) if wanted.get("leaf") else None
        path = write_one(job.owner_id, UUID(wanted["conversation"]), leaf, wanted["format"], folder, tell)
    else:
        path = write_all(job.owner_id, wanted["format"], folder, tell)
    if not jobs.do_finish(job.id, file=path.name, size=path.stat().st_size):
        raise jobs.CancelledError


def _import(job: Job) -> None:
    path = jobs.folder_of(job.id) / UPLOAD
    result = import_file(job.owner_id, path, jobs.teller(job.id))
    jobs.do_finish(job.id, result=result)
    shutil.rmtree(path.parent, ignore_errors=True)
