"""Run a job in the process that was started for it. Each kind of job registers its function here."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from uuid import UUID

import structlog
from django.utils import translation

from chatsite.errors import Refusal
from chatsite.jobs import actions as jobs
from chatsite.jobs.models import Job

log = structlog.get_logger(__name__)

Runner = Callable[[Job], None]
"""Runs a claimed job to its end with `do_finish`. Raises JobFailedError, Refusal or `jobs.CancelledError`."""

_RUNNERS: dict[str, Runner] = {}


class JobFailedError(Exception):
    """The job cannot be done; the message is for the person, `place` where in their file the cause is."""

    def __init__(self, message: str, place: str = "") -> None:
        super().__init__(message)
        self.place = place


def register_job_kind(kind: Job.Kind, run: Runner) -> None:
    """Let this function run the jobs of a kind. Called once, when the apps are ready."""
    _RUNNERS[kind] = run


def do_run_job(id: UUID) -> None:
    """Run the job to its end, whatever that is. Files of a job that did not finish go."""
    job = jobs.do_claim_job(id)
    if job is None:
        return
    try:
        with translation.override(job.request.get("language", "en")):
            _RUNNERS[job.kind](job)
    except jobs.JobCancelledError:
        shutil.rmtree(jobs.folder_of(id), ignore_errors=True)
    except JobFailedError as failure:
        jobs.do_fail_job(id, str(failure), failure.place)
    except Refusal as refusal:
        jobs.do_fail_job(id, str(refusal))
    except MemoryError:
        jobs.do_fail_job(id, "This needs more memory than such work may take.")
    except OSError as error:
        log.exception("archive_job_failed", job=str(id))
        jobs.do_fail_job(id, f"The file could not be written or read: {error.strerror}.")
    except Exception:
        log.exception("archive_job_failed", job=str(id))
        jobs.do_fail_job(id, "Something broke; it has been logged. Start it again, or tell an administrator.")
