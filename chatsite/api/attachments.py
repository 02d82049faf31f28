"""Attachments over HTTP: upload in pieces, read their text, show, discard."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

from chatsite.api.shapes import AttachedItem, BegunUpload, DocumentItem
from chatsite.attachments.access import access_attachment, access_attachments
from chatsite.attachments.actions import (
    PIECE_BYTES,
    do_append_upload,
    do_begin_upload,
    do_choose_encoding,
    do_complete,
)
from chatsite.attachments.erase import do_discard
from chatsite.attachments.models import Attached, Attachment
from chatsite.attachments.reading.encodings import ENCODINGS
from chatsite.attachments.storage import file_path
from chatsite.errors import Refusal
from chatsite.json_view import api, json_response, parse_body, parse_query_string, user_id
from chatsite.quotas.plans import check_feature, limits_of
from chatsite.ratelimit import check_upload
from chatsite.server.backpressure import file_response
from chatsite.server.client_address import address_of_request


class NewFile(msgspec.Struct, forbid_unknown_fields=True):
    """What is about to be uploaded. The name is for people; what the file is, its content says."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]
    size: Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class Piece(msgspec.Struct, forbid_unknown_fields=True):
    """Where a piece belongs: how many bytes of the file stand before it."""

    offset: Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class ChosenEncoding(msgspec.Struct, forbid_unknown_fields=True):
    """What a text's bytes shall be taken for: one of the names that documents are shown with."""

    encoding: Annotated[str, msgspec.Meta(max_length=20)]


@api("POST")
def begin_upload(request: HttpRequest) -> HttpResponse:
    """A place for a file; its bytes follow in pieces of at most `piece_bytes`."""
    new = parse_body(request, NewFile)
    limits = limits_of(user_id(request))
    check_feature(limits, "attachments")
    check_upload(user_id(request), address=address_of_request(request))
    row = do_begin_upload(user_id(request), new.name, new.size, limits.max_stored_mb)
    begun: BegunUpload = {**attachment_item(row), "piece_bytes": PIECE_BYTES}
    return json_response(begun, 201)


@api("GET", "PUT", "DELETE")
def attachment(request: HttpRequest, id: UUID) -> HttpResponse:
    """How it stands; a piece of it, at `?offset=`; or out of the composer with it."""
    owner = user_id(request)
    if request.method == "DELETE":
        do_discard(owner, id)
        return HttpResponse(status=204)
    if request.method == "PUT":
        return json_response(
            {
                "received": do_append_upload(
                    owner, id, parse_query_string(request, Piece).offset, _piece(request)
                )
            }
        )
    return json_response(attachment_item(access_attachment(owner, id)))


@api("POST")
def complete_upload(request: HttpRequest, id: UUID) -> HttpResponse:
    """All pieces are here: read it. Answers how it stands then; `unreadable` is an answer too."""
    return json_response(attachment_item(do_complete(user_id(request), id)))


@api("PUT")
def attachment_encoding(request: HttpRequest, id: UUID) -> HttpResponse:
    """Read an unsent text again, as somebody says that it is written. Counts as an upload."""
    encoding = parse_body(request, ChosenEncoding).encoding
    if encoding not in ENCODINGS:
        raise Refusal("bad_frame", f"There is no encoding {encoding!r}. There are {', '.join(ENCODINGS)}.")
    check_upload(user_id(request), address=address_of_request(request))
    return json_response(attachment_item(do_choose_encoding(user_id(request), id, encoding)))


@api("GET")
def attachment_text(request: HttpRequest, id: UUID) -> HttpResponse:
    """What was read out of it: exactly what the model is given."""
    (row,) = access_attachments(user_id(request), [id])
    return json_response({"text": row.text})


@api("GET")
def attachment_file(request: HttpRequest, id: UUID) -> StreamingHttpResponse:
    """The file itself, to be saved; never shown in this site's name, whatever it holds."""
    row = access_attachment(user_id(request), id)
    path = file_path(row.id)
    if not path.exists():
        raise Refusal("not_found", "The file of this document is not kept.")
    return file_response(path, row.name, "application/octet-stream")


def _piece(request: HttpRequest) -> bytes:
    try:
        return request.body
    except RequestDataTooBig as error:
        raise Refusal("bad_frame", f"A piece has at most {PIECE_BYTES:,} bytes.") from error


def attached_item(one: Attached) -> AttachedItem:
    """A document as it stands in a message; `given` is how many of its characters the model got."""
    return {**attachment_item(one.attachment), "given": one.chars}


def attachment_item(row: Attachment) -> DocumentItem:
    """A document as the page shows it."""
    return {
        "id": str(row.id),
        "name": row.name,
        "kind": row.kind,
        "size": row.size,
        "status": row.status,
        "reason": row.reason or None,
        "figures": row.figures,
        "encoding": row.encoding or None,
        "pages": row.pages,
        "sparse_pages": row.sparse_pages,
        "chars": row.chars,
        "tokens": row.tokens,
    }
