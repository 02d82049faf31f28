"""Jobs: asked for, claimed, told on, ended, swept. Every change is an UPDATE with a condition."""

from __future__ import annotations

import shutil
from collections.abc import Callable
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

from chatsite.archive.models import Job
from chatsite.conversations.access import conversations_for_staff
from chatsite.errors import Refusal

KEEP_FILES = timedelta(days=1)
"""How long a finished export can be fetched."""

DEAD_AFTER = timedelta(minutes=10)
"""A running job tells every second, but one long PDF may keep it silent for minutes."""

TELL_EVERY_S = 0.5
"""Progress is written at most this often: it is a write on the one SQLite writer."""

ACTIVE = (Job.Status.RECEIVING, Job.Status.QUEUED, Job.Status.RUNNING)


class CancelledError(Exception):
    """Somebody ended the job meanwhile."""


def folder_of(id: UUID) -> Path:
    """Where the job's files lie, on the machine that runs it. For its owner's eyes alone."""
    return Path(settings.DATA_DIR) / "archive" / str(id)


def do_ask(
    owner: int, asked_by: int, kind: str, request: dict[str, Any], status: str = Job.Status.QUEUED
) -> Job:
    """A new job, not started yet. Raises Refusal `busy` while this person's last one is under way."""
    end_dead()
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
    """What this person asked for of their own, newest first."""
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


def do_claim(id: UUID) -> Job | None:
    """The job, running from now on; None where somebody else runs it, or it was cancelled."""
    if not _change(id, Job.Status.QUEUED, status=Job.Status.RUNNING):
        return None
    return Job.objects.get(id=id)


def do_finish(id: UUID, **fields: Any) -> bool:
    """End it well. False where it had been cancelled."""
    return _change(id, Job.Status.RUNNING, status=Job.Status.FINISHED, **fields)


def do_fail(id: UUID, message: str, place: str = "") -> bool:
    """End it with what the person should know, and where in their file it is; its file goes."""
    failed = _change(id, *ACTIVE, status=Job.Status.FAILED, message=message, result={"place": place})
    shutil.rmtree(folder_of(id), ignore_errors=True)
    return failed


def do_cancel(user: int, id: UUID) -> None:
    """Stop it if it runs, forget it if it has ended; its file goes. Raises Refusal `not_found`."""
    job = access_job(user, id)
    if not _change(job.id, *ACTIVE, status=Job.Status.CANCELLED):
        Job.objects.filter(id=job.id).exclude(status__in=ACTIVE).delete()
    shutil.rmtree(folder_of(job.id), ignore_errors=True)


def teller(id: UUID) -> Callable[[int, int], None]:
    """A function that notes progress as (done, total). It raises CancelledError where the job was ended."""
    last = float("-inf")

    def tell(done: int, total: int) -> None:
        nonlocal last
        if done < total and monotonic() - last < TELL_EVERY_S:
            return
        last = monotonic()
        if not _change(id, Job.Status.RUNNING, done=done, total=total):
            raise CancelledError

    return tell


def end_dead() -> int:
    """Jobs whose process is gone have failed; returns how many."""
    dead = Q(status__in=ACTIVE, alive_at__lt=timezone.now() - DEAD_AFTER)
    return Job.objects.filter(dead).update(
        status=Job.Status.FAILED, message="The process that worked on it is gone. Start it again."
    )


def sweep_jobs() -> int:
    """End dead jobs, erase files and rows that are over; returns how many rows went."""
    end_dead()
    over = Job.objects.filter(created_at__lt=timezone.now() - KEEP_FILES).exclude(status__in=ACTIVE)
    for id in over.values_list("id", flat=True):
        shutil.rmtree(folder_of(id), ignore_errors=True)
    _sweep_strays()
    return over.delete()[0]


def _sweep_strays() -> None:
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
