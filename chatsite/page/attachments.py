"""Documents over HTTP: upload in pieces, have them read, look at them, take them out again."""

from __future__ import annotations

from collections import defaultdict
from typing import Annotated, Any
from uuid import UUID

import msgspec
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

from chatsite.address import address_of_request
from chatsite.attachments.access import access_attachment, access_attachments
from chatsite.attachments.actions import (
    PIECE_BYTES,
    check_complete,
    do_append,
    do_begin,
    do_keep,
    do_reject,
)
from chatsite.attachments.erase import do_forget
from chatsite.attachments.models import Attached, Attachment
from chatsite.attachments.prompt import Excerpt, in_fence
from chatsite.attachments.reading.reader import read_document
from chatsite.attachments.reading.unreadable import UnreadableError
from chatsite.attachments.storage import incoming_path, path_of
from chatsite.conversations.models import Conversation
from chatsite.database import give_back_connection
from chatsite.errors import Refusal
from chatsite.flow import file_response
from chatsite.generations.counting import count_text
from chatsite.json_api import answer, api, body, user_id
from chatsite.quotas.features import check_feature
from chatsite.quotas.terms import terms_of
from chatsite.ratelimit import check_upload


class NewFile(msgspec.Struct, forbid_unknown_fields=True):
    """What is about to be uploaded. The name is for people; what the file is, its content says."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]
    size: Annotated[int, msgspec.Meta(ge=0, le=2**53)]


@api("POST")
def begin(request: HttpRequest) -> HttpResponse:
    """A place for a file; its bytes follow in pieces of at most `piece_bytes`."""
    new = body(request, NewFile)
    check_feature(terms_of(user_id(request)), "attachments")
    check_upload(user_id(request), address=address_of_request(request))
    row = do_begin(user_id(request), new.name, new.size)
    return answer(attachment_item(row) | {"piece_bytes": PIECE_BYTES}, 201)


@api("GET", "PUT", "DELETE")
def attachment(request: HttpRequest, id: UUID) -> HttpResponse:
    """How it stands; a piece of it, at `?offset=`; or out of the composer with it."""
    owner = user_id(request)
    if request.method == "DELETE":
        do_forget(owner, id)
        return HttpResponse(status=204)
    if request.method == "PUT":
        return answer({"received": do_append(owner, id, _offset(request), _piece(request))})
    return answer(attachment_item(access_attachment(owner, id)))


@api("POST")
def complete(request: HttpRequest, id: UUID) -> HttpResponse:
    """All pieces are here: read it. Answers how it stands then; `unreadable` is an answer too."""
    row = access_attachment(user_id(request), id)
    if row.status == Attachment.Status.UPLOADING:
        check_complete(row)
        give_back_connection()
        _read(row)
    return answer(attachment_item(access_attachment(user_id(request), id)))


@api("GET")
def text(request: HttpRequest, id: UUID) -> HttpResponse:
    """What was read out of it: exactly what the model is given."""
    (row,) = access_attachments(user_id(request), [id])
    return answer({"text": row.text})


@api("GET")
def file(request: HttpRequest, id: UUID) -> StreamingHttpResponse:
    """The file itself, to be saved; never shown in this site's name, whatever it holds."""
    row = access_attachment(user_id(request), id)
    path = path_of(row.id)
    if not path.exists():
        raise Refusal("not_found", "The file of this document is not kept.")
    return file_response(request, path, row.name, "application/octet-stream")


def _read(row: Attachment) -> None:
    path = incoming_path(row.id)
    try:
        stored = path if path.exists() else path_of(row.id)
        document = read_document(stored, settings.READ_LIMITS, row.owner_id)
    except UnreadableError as error:
        do_reject(row.id, error)
        return
    do_keep(row.id, document, count_text(in_fence(Excerpt(row.name, document.text))))


def _offset(request: HttpRequest) -> int:
    given = request.GET.get("offset", "")
    if not given.isascii() or not given.isdigit() or len(given) > 16:
        raise Refusal("bad_frame", f"offset={given!r}: must be the number of bytes before this piece.")
    return int(given)


def _piece(request: HttpRequest) -> bytes:
    try:
        return request.body
    except RequestDataTooBig as error:
        raise Refusal("bad_frame", f"A piece has at most {PIECE_BYTES:,} bytes.") from error


def attached_to(conversation: Conversation) -> dict[UUID, list[Attached]]:
    """The documents of its messages, in their order, without their texts."""
    found: dict[UUID, list[Attached]] = defaultdict(list)
    rows = Attached.objects.filter(message__conversation=conversation).select_related("attachment")
    for one in rows.defer("attachment__text").order_by("position"):
        found[one.message_id].append(one)
    return found


def attached_item(one: Attached) -> dict[str, Any]:
    """A document as it stands in a message; `given` is how many of its characters the model got."""
    return attachment_item(one.attachment) | {"given": one.chars}


def attachment_item(row: Attachment) -> dict[str, Any]:
    """A document as the page shows it."""
    return {
        "id": str(row.id),
        "name": row.name,
        "kind": row.kind,
        "size": row.size,
        "status": row.status,
        "reason": row.reason or None,
        "figures": row.figures,
        "pages": row.pages,
        "chars": row.chars,
        "tokens": row.tokens,
    }
