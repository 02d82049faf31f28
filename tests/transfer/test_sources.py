"""What other products export comes in; what is no export, or a broken one of ours, is refused whole."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatsite.conversations.models import Conversation
from chatsite.transfer.export_rows import read_records
from chatsite.transfer.sources.detection import read_export
from chatsite.transfer.validation import MAX_LEVELS, TOO_DEEP, ImportRefusedError
from tests.support.jobs_client import client_of, fetched, send
from tests.support.people import People

CHATGPT = {
    "title": "Sky\n colours",
    "create_time": 1700000000.25,
    "update_time": 1700000100,
    "conversation_id": "c-1",
    "current_node": "n4",
    "mapping": {
        "root": {"id": "root", "message": None, "parent": None, "children": ["sys"]},
        "sys": {
            "id": "sys", "parent": "root", "children": ["n1"],
            "message": {
                "author": {"role": "system"}, "content": {"content_type": "text", "parts": [""]},
                "metadata": {"is_visually_hidden_from_conversation": True}, "recipient": "all",
            },
        },
        "n1": {
            "id": "n1", "parent": "sys", "children": ["n2", "n3"],
            "message": {
                "author": {"role": "user"}, "create_time": 1700000001.5,
                "content": {"content_type": "text", "parts": ["Why is the sky blue?"]}, "recipient": "all",
            },
        },
        "n2": {
            "id": "n2", "parent": "n1", "children": [],
            "message": {
                "author": {"role": "assistant"}, "create_time": 1700000002, "recipient": "all",
                "content": {"content_type": "text", "parts": ["Rayleigh."]},
            },
        },
        "n3": {
            "id": "n3", "parent": "n1", "children": ["n4"],
            "message": {
                "author": {"role": "assistant"}, "create_time": None, "recipient": "browser",
                "content": {"content_type": "code", "text": "search('sky')"},
            },
        },
        "n4": {
            "id": "n4", "parent": "n3", "children": [],
            "message": {
                "author": {"role": "assistant"}, "create_time": None, "recipient": "all",
                "content": {"content_type": "multimodal_text", "parts": [{"asset_pointer": "x"}, "散射。"]},
            },
        },
    },
}  # fmt: skip

OPEN_WEBUI = {
    "id": "w-1", "user_id": "u", "title": "问候", "pinned": True, "archived": False, "folder_id": None,
    "created_at": 1700000000, "updated_at": 1700000300, "share_id": None, "meta": {},
    "chat": {
        "title": "问候", "models": ["llama"], "system": "Be brief.", "timestamp": 1700000000123,
        "history": {
            "currentId": "b",
            "messages": {
                "a": {"id": "a", "parentId": None, "childrenIds": ["b", "c"], "role": "user",
                      "content": "你好", "timestamp": 1700000001},
                "b": {"id": "b", "parentId": "a", "childrenIds": [], "role": "assistant", "content": "您好！",
                      "timestamp": 1700000002, "model": "llama", "done": True},
                "c": {"id": "c", "parentId": "a", "childrenIds": [], "role": "assistant", "content": "Hi",
                      "timestamp": 1700000003},
            },
        },
        "messages": [],
    },
}  # fmt: skip


def as_bytes(content: object) -> bytes:
    return json.dumps(content).encode()


def as_zip(**files: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/") + ".json", content)
    return held.getvalue()


@pytest.mark.parametrize("zipped", [False, True])
def test_chatgpt(people: People, zipped: bool) -> None:
    content = as_bytes([CHATGPT])
    sent = as_zip(conversations=content, user=b"{}") if zipped else content
    client = client_of(people.alice)
    assert send(client, sent)["result"] == {"new": 1, "grown": 0, "known": 0}
    (found,) = read_records(people.alice.pk)
    question, rayleigh, scatter = found.messages
    assert (found.title, found.updated_at.timestamp()) == ("Sky colours", 1700000100)
    assert (question.role, question.content, question.created_at.timestamp()) == (
        "user", "Why is the sky blue?", 1700000001.5,
    )  # fmt: skip
    assert (rayleigh.content, scatter.content) == ("Rayleigh.", "[Picture]\n\n散射。")
    assert scatter.reasoning == "browser:\nsearch('sky')"
    assert rayleigh.parent == scatter.parent == question.id
    assert send(client, sent)["result"] == {"new": 0, "grown": 0, "known": 1}


def test_open_webui(people: People) -> None:
    client = client_of(people.alice)
    assert send(client, as_bytes([OPEN_WEBUI]))["result"] == {"new": 1, "grown": 0, "known": 0}
    (found,) = read_records(people.alice.pk)
    assert (found.title, found.pinned, found.system) == ("问候", True, "Be brief.")
    assert [(one.role, one.content) for one in found.messages] == [
        ("user", "你好"), ("assistant", "您好！"), ("assistant", "Hi"),
    ]  # fmt: skip
    assert send(client, as_bytes([OPEN_WEBUI]))["result"] == {"new": 0, "grown": 0, "known": 1}


def ours(**fields: object) -> dict[str, object]:
    base = {
        "format": "chatsite.conversation", "version": 1, "id": "1", "title": "t", "messages": [],
        "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    return base | fields


def turn(**fields: object) -> dict[str, object]:
    return {"id": "m", "role": "user", "content": "c", "created_at": "2026-01-01T00:00:00Z"} | fields


BROKEN = {
    "half a file": (b'[{"id": "1",\n "title":', "line 2"),
    "no JSON": (b"hello", "line 1"),
    "nothing": (b"\n", ""),
    "something else": (as_bytes([{"a": 1}]), "$[0]: This is no export"),
    "another version": (as_bytes(ours(version=2)), "$.version"),
    "an unknown field": (as_bytes(ours(extra=1)), "unknown field `extra`"),
    "a wrong type, deep": (as_bytes([ours(), ours(messages=[turn(content=5)])]), "$[1].messages[0].content"),
    "a time without zone": (as_bytes(ours(created_at="2026-01-01T00:00:00")), "$.created_at"),
    "a title too long": (as_bytes(ours(title="x" * 201)), "$.title"),
    "a parent that is missing": (as_bytes(ours(messages=[turn(parent="x")])), "$.messages[0].parent"),
    "an id that stands twice": (as_bytes(ours(messages=[turn(), turn()])), "$.messages[1].id"),
    "NUL": (as_bytes(ours(messages=[turn(content="a\0b")])), "$.messages[0].content: a NUL character"),
    "half a character": (as_bytes(ours(title="\ud800")), ""),
    "NaN": (as_bytes([CHATGPT, ours(messages=[turn(content=float("nan"))])]), "line 1"),
    "bytes that are no UTF-8": (as_bytes([ours(title="x")]).replace(b'"x"', b'"\xff"'), "$[0]"),
    "ours among others'": (as_bytes([CHATGPT, ours(version=2)]), "$[1].version"),
    "a zip without conversations": (as_zip(other=b"{}"), "other.json $: This is no export"),
    "a zip without documents": (as_zip(), "holds no conversations"),
    "half a zip": (as_zip(conversations=as_bytes([ours()]))[:-30], "its end is missing"),
    "half a list": (as_bytes([ours(), ours(id="2")])[:-30], "line 1"),
    "another encoding": (
        as_bytes([ours(title="x")]).replace(b'"x"', '"我们今天去北京开会讨论问题"'.encode("gb18030")),
        "It is not UTF-8",
    ),
    "a broken document in a zip": (
        as_zip(conversations__a=as_bytes(ours()), conversations__b=as_bytes(ours(id=""))),
        "conversations/b.json $.id",
    ),
    "a bomb": (as_zip(conversations=b"[" + b" " * 50_000_000 + b"]"), "bytes uncompressed are not taken"),
    "NUL in a prompt": (
        as_bytes({"format": "chatsite.account", "version": 1, "email": "a@b.c",
                  "joined_at": "2026-01-01T00:00:00Z", "prompts": [{"name": "n", "content": "a\0"}]}),
        "$.prompts[0].content: a NUL character",
    ),
}  # fmt: skip


def deep(content: object, levels: int) -> bytes:
    """The content as JSON, so many objects in one another where "DEEP" stands."""
    return as_bytes(content).replace(b'"DEEP"', b'{"a":' * levels + b"1" + b"}" * levels)


def answered(**fields: object) -> dict[str, object]:
    """Our own export of one answer, its generation with these fields."""
    made = {"status": "finished", "created_at": "2026-01-01T00:00:00Z"} | fields
    return ours(messages=[turn(role="assistant", generation=made)])


PART = {"author": {"role": "user"}, "content": {"content_type": "text", "parts": ["DEEP"]}}

NESTED = {
    "the whole": ["DEEP"],
    "an unknown field": [CHATGPT | {"x": "DEEP"}],
    "a part of ChatGPT's": {"mapping": {"a": {"id": "a", "message": PART}}},
    "an account": {"format": "chatsite.account", "x": "DEEP"},
    "an answer's usage": answered(usage={"x": "DEEP"}),
    "an answer's sampling": answered(sampling={"x": "DEEP"}),
}


@pytest.mark.parametrize("name", NESTED)
def test_what_is_nested_too_deeply_is_refused_in_words(people: People, name: str) -> None:
    job = send(client_of(people.alice), deep(NESTED[name], 100_000))
    assert (job["status"], job["message"]) == ("failed", TOO_DEEP)
    assert not Conversation.objects.exists()


@pytest.mark.parametrize("name", ["an unknown field", "a part of ChatGPT's"])
def test_two_thousand_levels_refuse_no_other_product_s_export(people: People, name: str) -> None:
    job = send(client_of(people.alice), deep(NESTED[name], 2_000))
    assert (job["status"], job["result"]["new"]) == ("finished", 1)


@pytest.mark.parametrize("field", ["usage", "sampling"])
def test_what_a_program_noted_of_an_answer_has_few_levels(people: People, field: str) -> None:
    """What can be read once, but not written and read again, is not taken."""
    client = client_of(people.alice)
    for levels in (MAX_LEVELS, 100, 400, 900):
        job = send(client, deep(answered(**{field: {"x": "DEEP"}}), levels))
        assert (job["status"], job["message"]) == ("failed", TOO_DEEP)
        if levels == MAX_LEVELS:
            assert job["result"]["place"] == f"$.messages[0].generation.{field}"
    taken = send(client, deep(answered(**{field: {"x": "DEEP"}}), MAX_LEVELS - 1))
    assert taken["result"] == {"new": 1, "grown": 0, "known": 0}


@pytest.mark.parametrize("name", BROKEN)
def test_a_bad_file_is_refused_whole_and_says_where(people: People, name: str) -> None:
    content, place = BROKEN[name]
    job = send(client_of(people.alice), content)
    assert job["status"] == "failed"
    assert place in f"{job['result']['place']}: {job['message']}"
    assert not Conversation.objects.exists()


def test_a_bomb_that_lies_about_its_size_is_read_no_further_than_it_says(people: People) -> None:
    """The directory says 100 bytes; 50 MB come out of it."""
    whole = as_zip(conversations=b"[" + b" " * 50_000_000 + b"]")
    lying = whole.replace((50_000_002).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    assert lying != whole
    job = send(client_of(people.alice), lying)
    assert (job["status"], Conversation.objects.exists()) == ("failed", False)


def test_a_zip_of_too_many_files_is_refused(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatsite.transfer.sources.opening.MAX_ENTRIES", 10)
    files = {f"conversations__{n}": as_bytes(ours()) for n in range(11)}
    job = send(client_of(people.alice), as_zip(**files))
    assert "at most 10" in job["message"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_refused_or_taken_whole(
    db: None, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever bytes are changed: a record or a refusal, never another error."""
    kinds = [as_bytes([CHATGPT]), as_bytes([OPEN_WEBUI]), as_bytes(ours(messages=[turn()])),
             as_zip(conversations=as_bytes([CHATGPT]))]  # fmt: skip
    content = bytearray(data.draw(st.sampled_from(kinds)))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("fuzz") / "upload"
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    with suppress(ImportRefusedError):
        list(read_export(path))


def test_the_report_of_an_import_is_in_the_reader_s_language_and_theirs_alone(people: People) -> None:
    odd = CHATGPT | {"mapping": CHATGPT["mapping"] | {"n5": {"message": {"author": None}}}}
    job = send(client_of(people.alice), as_bytes([odd]))
    report = (
        client_of(people.alice)
        .get(f"/api/archive/{job['id']}", HTTP_ACCEPT_LANGUAGE="zh-CN")
        .json()["report"]
    )
    counts = report["nodes"], report["read"], report["replaced"], report["omitted"]
    assert counts == (7, 3, 1, 3)
    assert (report["new_messages"], report["known_messages"]) == (3, 0)
    (author,) = [one for one in report["reasons"] if one["reason"] == "author"]
    assert (author["outcome"], author["words"], author["count"]) == ("omitted", "没有注明作者。", 1)
    assert author["places"] == [{"conversation": "Sky colours", "node": "n5"}]
    rows = list(csv.reader(fetched(people.alice, job["id"]).decode("utf-8-sig").splitlines()))
    assert ["Sky colours", "n5", "left out", "It does not say who wrote it."] in rows
    for other in ("", "/file"):
        assert client_of(people.bob).get(f"/api/archive/{job['id']}{other}").status_code == 404
