"""Uploading over HTTP: in pieces, read once whole, private, and exact about what cannot be."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient, Client

from chatsite.attachments.actions import PIECE_BYTES, check_name
from chatsite.attachments.models import Attachment
from chatsite.attachments.storage import file_path, incoming_path
from chatsite.errors import Refusal
from tests.support import document_files as files
from tests.support.documents import store
from tests.support.people import People


@pytest.fixture
def client(people: People) -> Client:
    return signed_in(people.alice)


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def begin(client: Client, name: str, size: int):
    return client.post("/api/attachments", {"name": name, "size": size}, content_type="application/json")


def put(client: Client, id: str, offset: int, piece: bytes):
    address = f"/api/attachments/{id}?offset={offset}"
    return client.put(address, piece, content_type="application/octet-stream")


def upload(client: Client, name: str, content: bytes) -> dict:
    made = begin(client, name, len(content)).json()
    for offset in range(0, len(content), made["piece_bytes"]):
        piece = content[offset : offset + made["piece_bytes"]]
        assert put(client, made["id"], offset, piece).json()["received"] == offset + len(piece)
    return client.post(f"/api/attachments/{made['id']}/complete").json()


def test_a_file_in_pieces_becomes_its_text(client: Client) -> None:
    text = "一行文字 and more\n" * 60_000
    done = upload(client, "/somewhere/报告.md", text.encode())
    assert len(text.encode()) > 2 * PIECE_BYTES
    assert (done["name"], done["kind"], done["status"], done["chars"]) == (
        "报告.md",
        "text",
        "ready",
        len(text),
    )
    assert done["tokens"] > 0
    assert file_path(done["id"] and Attachment.objects.get().id).read_bytes() == text.encode()
    assert client.get(f"/api/attachments/{done['id']}/text").json() == {"text": text}


async def test_the_file_is_given_back_to_be_saved_and_never_shown(transactional_db, people: People) -> None:
    row = await sync_to_async(store)(people.alice, "page.html", "<script>alert(1)</script>")
    client = AsyncClient()
    await client.aforce_login(people.alice)
    response = await client.get(f"/api/attachments/{row.id}/file")
    assert b"".join([part async for part in response.streaming_content]) == b"<script>alert(1)</script>"
    assert response["Content-Type"] == "application/octet-stream"
    assert response["Content-Disposition"].startswith("attachment;")
    assert response["X-Content-Type-Options"] == "nosniff"


def test_a_piece_sent_twice_is_the_same_piece(client: Client) -> None:
    made = begin(client, "a.txt", 10).json()
    for _ in range(2):
        assert put(client, made["id"], 0, b"hello").json() == {"received": 5}
    assert put(client, made["id"], 5, b"world").json() == {"received": 10}
    assert put(client, made["id"], 0, b"hello").json() == {"received": 10}
    for _ in range(2):
        done = client.post(f"/api/attachments/{made['id']}/complete").json()
        assert (done["status"], done["chars"]) == ("ready", 10)


@pytest.mark.parametrize(
    ("offset", "piece"), [(4, b"gap"), (0, b"x" * 11), (0, b"x" * (PIECE_BYTES + 1)), (0, b"x" * (1 << 21))]
)
def test_a_piece_that_does_not_fit_is_refused(client: Client, offset: int, piece: bytes) -> None:
    made = begin(client, "a.txt", 10).json()
    response = put(client, made["id"], offset, piece)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "bad_frame")


@pytest.mark.parametrize("offset", ["", "-1", "x", "9" * 30])
def test_an_offset_is_a_number(client: Client, offset: str) -> None:
    made = begin(client, "a.txt", 10).json()
    assert put(client, made["id"], offset, b"x").status_code == 400


def test_half_a_file_is_not_read(client: Client) -> None:
    made = begin(client, "a.txt", 10).json()
    put(client, made["id"], 0, b"hello")
    response = client.post(f"/api/attachments/{made['id']}/complete")
    assert "Only 5 of 10 bytes" in response.json()["error"]["message"]
    assert client.get(f"/api/attachments/{made['id']}").json()["status"] == "uploading"


def test_what_cannot_be_read_says_why_and_leaves_no_file(
    client: Client, data_dir: Path, django_capture_on_commit_callbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        done = upload(client, "holiday.txt", b"\x89PNG\r\n\x1a\n\x00")
    assert (done["status"], done["reason"]) == ("unreadable", "picture")
    assert not [path for path in data_dir.rglob("*") if path.is_file()]


def test_pages_are_told(client: Client) -> None:
    done = upload(client, "two.pdf", files.pdf("One", "二"))
    assert (done["kind"], done["pages"]) == ("pdf", 2)


def test_limits_are_exact(client: Client, settings) -> None:
    settings.MAX_UPLOAD_MB = 1
    settings.MAX_STORED_MB = 2
    megabyte = 1024 * 1024
    assert begin(client, "a", megabyte + 1).json()["error"]["code"] == "too_long"
    assert begin(client, "a", 0).json()["error"]["code"] == "empty"
    assert begin(client, "a", megabyte).status_code == 201
    assert begin(client, "a", megabyte).status_code == 201
    assert begin(client, "a", 1).json()["error"]["code"] == "quota_exceeded"


@pytest.mark.parametrize("stranger", ["bob", "charlie"])
def test_documents_are_their_owners(people: People, stranger: str) -> None:
    row = store(people.alice)
    half = Attachment.objects.create(owner=people.alice, name="half", size=3)
    incoming_path(half.id).touch()
    other = signed_in(getattr(people, stranger))
    for id in (row.id, half.id, uuid4()):
        assert other.get(f"/api/attachments/{id}").status_code == 404
        assert other.get(f"/api/attachments/{id}/text").status_code == 404
        assert other.get(f"/api/attachments/{id}/file").status_code == 404
        assert other.post(f"/api/attachments/{id}/complete").status_code == 404
        assert put(other, str(id), 0, b"abc").status_code == 404
        other.delete(f"/api/attachments/{id}")
    assert Attachment.objects.count() == 2
    assert incoming_path(half.id).read_bytes() == b""


def test_nobody_uploads_without_signing_in(db) -> None:
    assert begin(Client(), "a.txt", 3).status_code == 401


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("C:\\Users\\x\\报告.docx", "报告.docx"),
        ("../../etc/passwd", "passwd"),
        ("a\nb\u202e.txt", "a b.txt"),
        ("x" * 300 + ".pdf", "x" * 200 + "…" + "x" * 50 + ".pdf"),
    ],
)
def test_names_are_for_people_only(given: str, kept: str) -> None:
    assert check_name(given) == kept


def test_a_name_needs_something_to_read() -> None:
    with pytest.raises(Refusal):
        check_name("dir/ \u200b")
