"""Documents leave with their conversation, file and all, and come back to where they were."""

from __future__ import annotations

import io
import zipfile

import pytest

from chatsite.attachments.erase import erase_abandoned
from chatsite.attachments.models import Attached, Attachment
from chatsite.attachments.storage import do_store_file, file_path, incoming_path
from chatsite.conversations.models import Conversation
from chatsite.transfer.export_rows import read_records
from chatsite.transfer.progress import ignore_progress
from chatsite.transfer.render import markdown
from tests.support.jobs_client import client_of, fetched, post, send
from tests.support.people import People, submit
from tests.support.trees import without_ids

pytestmark = pytest.mark.django_db(transaction=True)


def with_document(people: People) -> Attachment:
    """A conversation of alice's with a document in its question."""
    done = submit(people.alice, "Summarise it.")
    document = Attachment.objects.create(
        owner=people.alice, conversation_id=done.conversation, name="计划.txt", kind="text", size=5,
        status="ready", chars=5, tokens=2, text="hello",
    )  # fmt: skip
    Attached.objects.create(message_id=done.message, attachment=document, position=0, chars=3)
    incoming_path(document.id).write_bytes(b"hello")
    do_store_file(document.id)
    return document


def exported(people: People) -> bytes:
    job = post(client_of(people.alice), "/api/archive/exports", {"format": "json"}).json()
    return fetched(people.alice, job["id"])


def test_a_document_travels_with_its_file(people: People) -> None:
    document = with_document(people)
    content = exported(people)
    assert zipfile.ZipFile(io.BytesIO(content)).read(f"documents/{document.id}") == b"hello"
    assert send(client_of(people.bob), content)["result"] == {"new": 1, "grown": 0, "known": 0}
    (hers,), (his,) = read_records(people.alice.pk), read_records(people.bob.pk)
    assert without_ids(hers) == without_ids(his)
    copy = Attachment.objects.get(owner=people.bob)
    assert (copy.status, copy.chars, file_path(copy.id).read_bytes()) == ("ready", 5, b"hello")
    Attachment.objects.filter(owner=people.alice).delete()
    erase_abandoned()
    assert file_path(copy.id).exists()


def test_an_import_that_died_before_the_files_is_mended_by_the_next(people: People) -> None:
    with_document(people)
    content, bob = exported(people), client_of(people.bob)
    send(bob, content)
    copy = Attachment.objects.get(owner=people.bob)
    file_path(copy.id).unlink()
    assert send(bob, content)["result"] == {"new": 0, "grown": 0, "known": 1}
    assert file_path(copy.id).read_bytes() == b"hello"


def test_without_its_file_the_text_is_kept(people: People) -> None:
    with_document(people)
    home = Conversation.objects.get()
    record = client_of(people.alice).get(f"/api/conversations/{home.id}/export?format=json").content
    assert send(client_of(people.bob), record)["status"] == "finished"
    copy = Attachment.objects.get(owner=people.bob)
    assert (copy.text, file_path(copy.id).exists()) == ("hello", False)


def test_a_file_of_another_size_is_refused(people: People) -> None:
    document = with_document(people)
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(exported(people))) as source, zipfile.ZipFile(target, "w") as archive:
        for name in source.namelist():
            archive.writestr(name, b"longer" if name == f"documents/{document.id}" else source.read(name))
    job = send(client_of(people.bob), target.getvalue())
    assert (job["status"], "another size" in job["message"]) == ("failed", True)
    assert not Conversation.objects.filter(owner=people.bob).exists()


def test_room_for_documents_is_limited(people: People, settings) -> None:
    with_document(people)
    content = exported(people)
    settings.MAX_STORED_MB = 0
    job = send(client_of(people.bob), content)
    assert (job["status"], "more room" in job["message"]) == ("failed", True)
    assert not Conversation.objects.filter(owner=people.bob).exists()


def test_documents_are_named_for_readers(people: People) -> None:
    with_document(people)
    (record,) = read_records(people.alice.pk)
    assert "Documents: 计划.txt" in markdown.render(record, ignore_progress).decode()


def test_a_zip_that_was_packed_again_on_a_mac_is_the_same(people: People) -> None:
    """In a folder of its own, with what a Mac lays beside each file."""
    with_document(people)
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(exported(people))) as source, zipfile.ZipFile(target, "w") as archive:
        for name in source.namelist():
            folder, _, base = name.rpartition("/")
            archive.writestr(f"__MACOSX/export/{folder}/._{base}", b"\0\5\x16\7")
            archive.writestr(f"export/{name}", source.read(name))
    job = send(client_of(people.bob), target.getvalue())
    assert job["result"] == {"new": 1, "grown": 0, "known": 0}
    assert [reason["reason"] for reason in job["report"]["reasons"]] == []
    copy = Attachment.objects.get(owner=people.bob)
    assert file_path(copy.id).read_bytes() == b"hello"


def test_what_is_here_already_takes_no_room_again(people: People, settings, monkeypatch) -> None:
    """Room for one such document is enough, however often it is brought in."""
    document = with_document(people)
    Attachment.objects.filter(id=document.id).update(size=700_000)
    file_path(document.id).write_bytes(b"x" * 700_000)
    content = exported(people)
    settings.MAX_STORED_MB = 1
    for result in ({"new": 1, "grown": 0, "known": 0}, {"new": 0, "grown": 0, "known": 1}):
        assert send(client_of(people.bob), content)["result"] == result
    assert Attachment.objects.filter(owner=people.bob).count() == 1
