"""Exports and imports over HTTP: ask, look, fetch, cancel."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from chatsite.archive import jobs
from chatsite.archive.exporting import read_one
from chatsite.archive.models import Job
from chatsite.archive.naming import stem_of
from chatsite.archive.render.formats import FORMATS, unheard
from chatsite.archive.starting import start_after_commit
from chatsite.archive.uploading import do_append, do_ask_import
from chatsite.errors import Refusal
from chatsite.flow import file_response, save_as
from chatsite.json_api import answer, api, body, user_id

FormatName = Literal["json", "markdown", "html", "pdf", "docx"]
SHOWN = 20
"""Jobs in the list: more than anybody starts in the day for which they are kept."""


class ExportForm(msgspec.Struct, forbid_unknown_fields=True):
    """What to export. Without a conversation: everything; with a leaf: the branch that ends in it."""

    format: FormatName
    conversation: UUID | None = None
    leaf: UUID | None = None


class ImportForm(msgspec.Struct, forbid_unknown_fields=True):
    """The file that will come, in parts."""

    size: Annotated[int, msgspec.Meta(ge=1)]


@api("GET")
def conversation_file(request: HttpRequest, id: UUID) -> HttpResponse:
    """One conversation at once, in a format that is made in milliseconds."""
    kind = FORMATS.get(request.GET.get("format", "json"))
    if kind is None or not kind.light:
        light = ", ".join(name for name, one in FORMATS.items() if one.light)
        raise Refusal(
            "bad_frame", f"format must be one of {light}; ask for the others at /api/archive/exports."
        )
    record = read_one(user_id(request), id, _uuid(request.GET.get("leaf")))
    response = HttpResponse(kind.render(record, unheard), content_type=kind.media_type)
    save_as(response, f"{stem_of(record)}.{kind.suffix}")
    return response


@api("POST")
def exports(request: HttpRequest) -> HttpResponse:
    """Ask for an export; answers with its job."""
    form, owner = body(request, ExportForm), user_id(request)
    if form.conversation:
        read_one(owner, form.conversation, form.leaf)  # refused now, while somebody looks
    wanted = {
        "format": form.format,
        "conversation": str(form.conversation) if form.conversation else None,
        "leaf": str(form.leaf) if form.leaf else None,
        "language": get_language() or "en",
    }
    with transaction.atomic():
        job = jobs.do_ask(owner, owner, Job.Kind.EXPORT, wanted)
        start_after_commit(job.id)
    return answer(item(job), 202)


@api("POST")
def imports(request: HttpRequest) -> HttpResponse:
    """Announce a file; its bytes come by PUT to the job's `data`."""
    size = body(request, ImportForm).size
    return answer(item(do_ask_import(user_id(request), size)), 201)


@api("PUT")
def data(request: HttpRequest, id: UUID) -> HttpResponse:
    """The next bytes of the file, from `offset` on; with the last ones the import begins."""
    offset = request.GET.get("offset", "")
    if not (offset.isascii() and offset.isdigit() and len(offset) < 19):
        raise Refusal("bad_frame", f"offset={offset!r}: must be the number of bytes sent before.")
    return answer(item(do_append(user_id(request), id, int(offset), request)))


@api("GET")
def listing(request: HttpRequest) -> HttpResponse:
    """This person's exports and imports of the last day; formats that can be had; the largest import."""
    rows = list(jobs.visible_jobs(user_id(request))[:SHOWN])
    return answer({"jobs": [item(job) for job in rows], "max_import_bytes": settings.MAX_IMPORT_BYTES})


@api("GET", "DELETE")
def job(request: HttpRequest, id: UUID) -> HttpResponse:
    """How far it is; or its end, and the end of its file."""
    if request.method == "DELETE":
        jobs.do_cancel(user_id(request), id)
        return HttpResponse(status=204)
    jobs.end_dead()
    return answer(item(jobs.access_job(user_id(request), id)))


@api("GET")
def file(request: HttpRequest, id: UUID) -> Any:
    """The finished export, as fast as its reader takes it."""
    return job_file(request, jobs.access_job(user_id(request), id))


def job_file(request: HttpRequest, found: Job) -> StreamingHttpResponse:
    """The file of a finished export. Raises Refusal `not_found`."""
    path = jobs.folder_of(found.id) / found.file
    if found.status != Job.Status.FINISHED or not found.file or not path.is_file():
        raise Refusal("not_found", "This export has no file, or no longer. Make it again.")
    return file_response(request, path, found.file, _media_type(found.file))


def item(job: Job) -> dict[str, Any]:
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
        "result": job.result,
        # Kept in English, shown in the reader's language.
        "message": _(job.message) if job.message else "",
        "file": job.file or None,
        "size": job.size,
        "created_at": job.created_at,
        "ends_at": ends,
    }


def _media_type(name: str) -> str:
    kinds = {kind.suffix: kind.media_type for kind in FORMATS.values()} | {"zip": "application/zip"}
    return kinds[name.rpartition(".")[2]]


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError as error:
        raise Refusal("bad_frame", f"leaf={text!r} is no id.") from error
