"""Create, claim, finish, cancel and clean up jobs. Every change is a conditional UPDATE."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from time import monotonic, time
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from chatsite.conversations.access import conversations_for_staff
from chatsite.errors import Refusal
from chatsite.jobs.models import Job

KEEP_FILES = timedelta(days=1)
"""How long a finished export can be fetched."""

DEAD_AFTER = timedelta(minutes=10)
"""A running job reports every second, but one long PDF may keep it silent for minutes."""

REPORT_EVERY_S = 0.5
"""Progress is written at most this often: it is a write on the one SQLite writer."""

ACTIVE = (Job.Status.RECEIVING, Job.Status.QUEUED, Job.Status.RUNNING)


class JobCancelledError(Exception):
    """The job was cancelled while it ran."""


def folder_of(id: UUID) -> Path:
    """Return the private folder of the job's files, on the machine that runs it."""
    return Path(settings.DATA_DIR) / "archive" / str(id)


def do_create_job(
    owner: int, asked_by: int, kind: str, request: dict[str, Any], status: str = Job.Status.QUEUED
) -> Job:
    """Create a job, not started yet. Raises Refusal `busy` while this person's last one is under way."""
    fail_dead_jobs()
    try:
        with transaction.atomic():
            return Job.objects.create(
                owner_id=owner, asked_by_id=asked_by, kind=kind, request=request, status=status
            )
    except IntegrityError as error:
        raise Refusal(
            "busy", _("Your last export or import is still under way. Wait for it, or cancel it.")
        ) from error


def visible_jobs(user: int) -> QuerySet[Job]:
    """Select the jobs that this person may see, newest first."""
    return Job.objects.filter(asked_by_id=user, owner_id=user).order_by("-created_at")


def exports_for_staff(user: int, owner: int) -> QuerySet[Job]:
    """What this member of the staff exported of somebody's, newest first; the caller notes each download.

    Raises Refusal `not_found` where the site's policy lets staff read nothing.
    """
    conversations_for_staff()
    rows = Job.objects.filter(asked_by_id=user, owner_id=owner, kind=Job.Kind.EXPORT)
    return rows.order_by("-created_at")


def access_job(user: int, id: UUID) -> Job:
    """The job. Raises Refusal `not_found`."""
    found = visible_jobs(user).filter(id=id).first()
    if found is None:
        raise Refusal("not_found", "There is no such export or import.")
    return found


def do_claim_job(id: UUID) -> Job | None:
    """Claim a queued job and return it; None where another process runs it, or it was cancelled."""
    if not _change(id, Job.Status.QUEUED, status=Job.Status.RUNNING):
        return None
    return Job.objects.get(id=id)


def do_finish_job(id: UUID, **fields: Any) -> bool:
    """Mark a running job as finished. False where it had been cancelled."""
    return _change(id, Job.Status.RUNNING, status=Job.Status.FINISHED, **fields)


def do_fail_job(id: UUID, message: str, place: str = "") -> bool:
    """Mark a job as failed, with a message for the person and a place in their file; its files go."""
    failed = _change(id, *ACTIVE, status=Job.Status.FAILED, message=message, result={"place": place})
    shutil.rmtree(folder_of(id), ignore_errors=True)
    return failed


def do_cancel_job(user: int, id: UUID) -> None:
    """Cancel an active job, delete an ended one; its files are removed. Raises Refusal `not_found`."""
    job = access_job(user, id)
    if not _change(job.id, *ACTIVE, status=Job.Status.CANCELLED):
        Job.objects.filter(id=job.id).exclude(status__in=ACTIVE).delete()
    shutil.rmtree(folder_of(job.id), ignore_errors=True)


def open_jobs_by(user: int) -> QuerySet[Job]:
    """What this person asked for, of whosever conversations, that is under way or has a file to fetch."""
    rows = Job.objects.filter(Q(status__in=ACTIVE) | ~Q(file=""), asked_by_id=user)
    return rows.order_by("-created_at")


def do_end_jobs(user: int) -> None:
    """Cancel what is under way, delete what has ended; the files go on commit."""
    with transaction.atomic():
        ids = list(open_jobs_by(user).values_list("id", flat=True))
        for id in ids:
            if not _change(id, *ACTIVE, status=Job.Status.CANCELLED):
                Job.objects.filter(id=id).exclude(status__in=ACTIVE).delete()
        transaction.on_commit(lambda: _remove_folders(ids))


def _remove_folders(ids: Sequence[UUID]) -> None:
    for id in ids:
        shutil.rmtree(folder_of(id), ignore_errors=True)


def progress_reporter(id: UUID) -> Callable[[int, int], None]:
    """Return a function that records progress as (done, total); it raises JobCancelledError."""
    last = float("-inf")

    def tell(done: int, total: int) -> None:
        nonlocal last
        if done < total and monotonic() - last < REPORT_EVERY_S:
            return
        last = monotonic()
        if not _change(id, Job.Status.RUNNING, done=done, total=total):
            raise JobCancelledError

    return tell


def fail_dead_jobs() -> int:
    """Jobs whose process is gone have failed; returns how many."""
    dead = Q(status__in=ACTIVE, alive_at__lt=timezone.now() - DEAD_AFTER)
    return Job.objects.filter(dead).update(
        status=Job.Status.FAILED, message="The process that worked on it is gone. Start it again."
    )


def erase_old_jobs() -> int:
    """End dead jobs, erase files and rows that are over; returns how many rows went."""
    fail_dead_jobs()
    over = Job.objects.filter(created_at__lt=timezone.now() - KEEP_FILES).exclude(status__in=ACTIVE)
    for id in over.values_list("id", flat=True):
        shutil.rmtree(folder_of(id), ignore_errors=True)
    _erase_strays()
    return over.delete()[0]


def _erase_strays() -> None:
    """Folders whose row went without them, in a crash between the two."""
    root = Path(settings.DATA_DIR) / "archive"
    limit = time() - KEEP_FILES.total_seconds()
    old = [path for path in root.iterdir() if path.stat().st_mtime < limit] if root.is_dir() else []
    known = {str(id) for id in Job.objects.values_list("id", flat=True)} if old else set()
    for path in old:
        if path.name not in known:
            shutil.rmtree(path, ignore_errors=True)


def _change(id: UUID, *before: str, **fields: Any) -> bool:
    changed = Job.objects.filter(id=id, status__in=before).update(alive_at=timezone.now(), **fields)
    return bool(changed)
