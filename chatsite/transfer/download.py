"""The file of a finished export or import, as a response that is sent as fast as its reader takes it."""

from __future__ import annotations

from django.http import StreamingHttpResponse

from chatsite.errors import Refusal
from chatsite.jobs import actions as jobs
from chatsite.jobs.models import Job
from chatsite.server.backpressure import file_response
from chatsite.transfer.render.formats import FORMATS


def job_file(found: Job) -> StreamingHttpResponse:
    """The file of a finished export, or an import's report. Raises Refusal `not_found`."""
    path = jobs.folder_of(found.id) / found.file
    if found.status != Job.Status.FINISHED or not found.file or not path.is_file():
        raise Refusal("not_found", "This export has no file, or no longer. Make it again.")
    return file_response(path, found.file, _media_type(found.file))


def _media_type(name: str) -> str:
    kinds = {kind.suffix: kind.media_type for kind in FORMATS.values()} | {
        "zip": "application/zip",
        "csv": "text/csv; charset=utf-8",
    }
    return kinds[name.rpartition(".")[2]]
