"""What a text file is written in: certain, guessed, or chosen by its owner."""

from __future__ import annotations

import codecs
import re

import pytest
from django.test import Client

from chatsite.attachments.models import Attachment
from chatsite.attachments.reading.encodings import ENCODINGS, GUESSED, decode_text
from chatsite.attachments.storage import do_store_file, incoming_path
from chatsite.conversations.models import Message
from tests.support.documents import attach, store
from tests.support.people import People, submit
from tests.support.sentences import ENCODED, SENTENCES
from tests.support.source import ROOT


@pytest.mark.parametrize(
    ("language", "codec", "name"),
    [(language, codec, name) for language, known in ENCODED.items() for codec, name in known],
)
def test_a_page_of_text_is_told_by_its_letters(language: str, codec: str, name: str) -> None:
    text = "\n".join(SENTENCES[language])
    found = decode_text(text.encode(codec))
    assert found is not None
    assert (found.text, found.encoding) == (text, name)


@pytest.mark.parametrize(
    "codec", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le with mark", "utf-16-be with mark"]
)
def test_what_the_bytes_say_for_certain_is_no_guess(codec: str) -> None:
    text = "Größe 尺寸"
    match codec:
        case "utf-16-le with mark":
            data = codecs.BOM_UTF16_LE + text.encode("utf-16-le")
        case "utf-16-be with mark":
            data = codecs.BOM_UTF16_BE + text.encode("utf-16-be")
        case _:
            data = text.encode(codec)
    found = decode_text(data)
    assert found is not None
    assert (found.text, found.encoding) == (text, "")


def test_utf8_that_was_cut_stays_utf8() -> None:
    data = ("数据库备份失败时，管理员会收到邮件通知。" * 3).encode()[:-1]
    found = decode_text(data)
    assert found is not None
    assert (found.text[-1], found.text[:3], found.encoding) == ("\ufffd", "数据库", "utf-8")


@pytest.mark.parametrize(
    "data", [b"\xff\xff\x80\x81 neither", b"\x81\x8d\x8f\x90\x9d\x9d" * 20, b"\xfe\xff\xd8"]
)
def test_what_is_no_text_in_any_encoding_is_refused(data: bytes) -> None:
    assert decode_text(data) is None


def test_a_chosen_encoding_shows_what_does_not_fit_in_it() -> None:
    data = "尺寸".encode("gbk")
    assert [decode_text(data, name).text for name in ("gb18030", "windows-1252")] == ["尺寸", "³ß´ç"]
    assert "\ufffd" in decode_text(data, "utf-8").text


def test_every_guess_can_be_chosen_and_the_page_has_a_name_for_each() -> None:
    assert set(GUESSED.values()) <= ENCODINGS.keys()
    for language in ("en", "zh-hans"):
        words = (ROOT / f"static/chat/lang/{language}/words.js").read_text("utf-8")
        assert set(re.findall(r'^  "?encoding_([\w-]+)"?: "', words, re.M)) == ENCODINGS.keys()
    offered = (ROOT / "static/chat/view/documents.js").read_text("utf-8")
    listed = re.search(r"const ENCODINGS = \[(.*?)\]", offered, re.S)
    assert listed
    assert set(re.findall(r'"([\w-]+)"', listed[1])) == ENCODINGS.keys()


GREEK = "Ψ" * 3 + " ambiguous"


@pytest.fixture
def client(people: People) -> Client:
    client = Client()
    client.force_login(people.alice)
    return client


def stored(people: People, data: bytes) -> Attachment:
    row = store(people.alice, "old.txt", "wrong")
    incoming_path(row.id).write_bytes(data)
    do_store_file(row.id)
    return row


def choose(client: Client, row: Attachment, encoding: str):
    return client.put(
        f"/api/attachments/{row.id}/encoding", {"encoding": encoding}, content_type="application/json"
    )


def test_the_owner_of_an_unsent_text_chooses_and_it_is_read_again(people: People, client: Client) -> None:
    row = stored(people, GREEK.encode("cp1253"))
    done = choose(client, row, "windows-1253").json()
    assert (done["encoding"], done["chars"], done["status"]) == ("windows-1253", len(GREEK), "ready")
    assert done["tokens"] > 0
    assert client.get(f"/api/attachments/{row.id}/text").json() == {"text": GREEK}


def test_only_unsent_texts_and_known_encodings(people: People, client: Client) -> None:
    row = stored(people, b"abc")
    assert "There is no encoding 'klingon'" in choose(client, row, "klingon").json()["error"]["message"]
    Attachment.objects.filter(id=row.id).update(kind="pdf")
    assert choose(client, row, "big5").status_code == 400
    Attachment.objects.filter(id=row.id).update(kind="text")
    attach(row, Message.objects.get(id=submit(people.alice).message))
    assert choose(client, row, "big5").status_code == 400
    assert client.get(f"/api/attachments/{row.id}/text").json() == {"text": "wrong"}


@pytest.mark.parametrize("stranger", ["bob", "charlie"])
def test_strangers_choose_nothing(people: People, stranger: str) -> None:
    row = stored(people, b"abc")
    other = Client()
    other.force_login(getattr(people, stranger))
    assert choose(other, row, "big5").status_code == 404
