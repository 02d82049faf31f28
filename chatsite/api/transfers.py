"""Exports and imports over HTTP: start, show progress, download, cancel."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from chatsite.api.shapes import ImportReportItem, JobItem
from chatsite.errors import Refusal
from chatsite.jobs import actions as jobs
from chatsite.jobs.models import Job
from chatsite.jobs.process import start_job_after_commit
from chatsite.json_view import api, json_response, parse_body, parse_query_string, user_id
from chatsite.server.backpressure import save_as
from chatsite.transfer.download import job_file
from chatsite.transfer.exporting import check_short, check_there, read_one
from chatsite.transfer.naming import stem_of
from chatsite.transfer.progress import ignore_progress
from chatsite.transfer.render.formats import FORMATS
from chatsite.transfer.report import reason_words
from chatsite.transfer.uploading import do_append_import, do_create_import

FormatName = Literal["json", "markdown", "html", "pdf", "docx"]
SHOWN = 20
"""Jobs in the list: more than anybody starts in the day for which they are kept."""


class ExportForm(msgspec.Struct, forbid_unknown_fields=True):
    """What to export. Without a conversation: everything; with a leaf: the branch that ends in it."""

    format: FormatName
    conversation: UUID | None = None
    leaf: UUID | None = None


class FileForm(msgspec.Struct, forbid_unknown_fields=True):
    """One conversation as a file; with a leaf: the branch that ends in it."""

    format: FormatName = "json"
    leaf: UUID | None = None


class Part(msgspec.Struct, forbid_unknown_fields=True):
    """Where the next bytes belong: how many were sent before."""

    offset: Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class ImportForm(msgspec.Struct, forbid_unknown_fields=True):
    """The file that will come, in parts."""

    size: Annotated[int, msgspec.Meta(ge=1, le=2**53)]


@api("GET", "HEAD")
def conversation_file(request: HttpRequest, id: UUID) -> HttpResponse:
    """One conversation at once, in a format that is made in milliseconds. HEAD asks whether it is.

    Raises Refusal `bad_frame`, and `too_long` for a conversation that is a job's work.
    """
    asked = parse_query_string(request, FileForm)
    kind = FORMATS[asked.format]
    if not kind.light:
        light = ", ".join(name for name, one in FORMATS.items() if one.light)
        raise Refusal(
            "bad_frame", f"format must be one of {light}; ask for the others at /api/archive/exports."
        )
    check_short(user_id(request), id)
    if request.method == "HEAD":
        return HttpResponse(content_type=kind.media_type)
    record = read_one(user_id(request), id, asked.leaf)
    response = HttpResponse(kind.render(record, ignore_progress), content_type=kind.media_type)
    save_as(response, f"{stem_of(record)}.{kind.suffix}")
    return response


@api("POST")
def exports(request: HttpRequest) -> HttpResponse:
    """Ask for an export; answers with its job."""
    form, owner = parse_body(request, ExportForm), user_id(request)
    if form.conversation:
        check_there(owner, form.conversation, form.leaf)  # refused now, while somebody looks
    wanted = {
        "format": form.format,
        "conversation": str(form.conversation) if form.conversation else None,
        "leaf": str(form.leaf) if form.leaf else None,
        "language": get_language() or "en",
    }
    with transaction.atomic():
        job = jobs.do_create_job(owner, owner, Job.Kind.EXPORT, wanted)
        start_job_after_commit(job.id)
    return json_response(job_item(job), 202)


@api("POST")
def imports(request: HttpRequest) -> HttpResponse:
    """Announce a file; its bytes come by PUT to the job's `upload_part`."""
    size = parse_body(request, ImportForm).size
    return json_response(job_item(do_create_import(user_id(request), size)), 201)


@api("PUT")
def upload_part(request: HttpRequest, id: UUID) -> HttpResponse:
    """The next bytes of the file, from `offset` on; with the last ones the import begins."""
    return json_response(
        job_item(do_append_import(user_id(request), id, parse_query_string(request, Part).offset, request))
    )


@api("GET")
def list_jobs(request: HttpRequest) -> HttpResponse:
    """This person's exports and imports of the last day; formats that can be had; the largest import."""
    rows = list(jobs.visible_jobs(user_id(request))[:SHOWN])
    return json_response(
        {"jobs": [job_item(job) for job in rows], "max_import_bytes": settings.MAX_IMPORT_BYTES}
    )


@api("GET", "DELETE")
def job(request: HttpRequest, id: UUID) -> HttpResponse:
    """How far it is; or its end, and the end of its file."""
    if request.method == "DELETE":
        jobs.do_cancel_job(user_id(request), id)
        return HttpResponse(status=204)
    jobs.fail_dead_jobs()
    return json_response(job_item(jobs.access_job(user_id(request), id)))


@api("GET")
def download_export(request: HttpRequest, id: UUID) -> Any:
    """The finished export, as fast as its reader takes it."""
    return job_file(jobs.access_job(user_id(request), id))


def job_item(job: Job) -> JobItem:
    """A job as the page shows it."""
    ends: datetime = job.created_at + jobs.KEEP_FILES
    return {
        "id": str(job.id),
        "kind": job.kind,
        "status": job.status,
        "format": job.request.get("format"),
        "conversation": job.request.get("conversation"),
        "done": job.done,
        "total": job.total,
        "result": {name: value for name, value in job.result.items() if name != "report"},
        "report": _report_item(job.result["report"]) if "report" in job.result else None,
        # Kept in English, shown in the reader's language.
        "message": _(job.message) if job.message else "",
        "file": job.file or None,
        "size": job.size,
        "created_at": job.created_at,
        "ends_at": ends,
    }


def _report_item(report: dict[str, Any]) -> ImportReportItem:
    """The report of an import, its reasons in the reader's language."""
    outcomes, messages = report["outcomes"], report["messages"]
    return {
        "new_messages": messages["new"],
        "known_messages": messages["known"],
        "nodes": report["nodes"],
        "read": outcomes["read"],
        "replaced": outcomes["replaced"],
        "omitted": outcomes["omitted"],
        "reasons": [
            {
                "reason": one["reason"],
                "outcome": one["outcome"],
                "words": reason_words(one["reason"]),
                "count": one["count"],
                "places": [{"conversation": place[0], "node": place[1]} for place in one["places"]],
            }
            for one in report["reasons"]
        ],
    }
