"""Exports that end in the middle, are damaged, or are in another encoding: what is whole in them arrives."""

from __future__ import annotations

import io
import json
import random
import zipfile
from pathlib import Path
from typing import Any

import pytest

from chatsite.transfer.report import ImportReport
from chatsite.transfer.schema import ConversationRecord
from chatsite.transfer.sources.detection import read_export
from chatsite.transfer.validation import ImportRefusedError, check_record
from tests.support.foreign_exports import MAKERS
from tests.support.sentences import SENTENCES

TEXTS = ("plain", '{"mapping": [{"a": 1}, {"b": 2}]}', "\\ \" ' `", "中文，标点。", "😀", "}]}, {", "a\nb\tc")


def chat(id: str, *texts: str) -> dict[str, Any]:
    """A conversation of ChatGPT's with these turns."""
    nodes: dict[str, Any] = {"root": {"id": "root", "message": None, "parent": None, "children": ["1"]}}
    for number, text in enumerate(texts, 1):
        nodes[str(number)] = {
            "id": str(number),
            "message": {
                "author": {"role": "user" if number % 2 else "assistant"},
                "create_time": 1_700_000_000 + number,
                "content": {"content_type": "text", "parts": [text]},
            },
            "parent": str(number - 1) if number > 1 else "root",
            "children": [str(number + 1)] if number < len(texts) else [],
        }
    return {"id": id, "title": f"Title {id}", "create_time": 1_700_000_000, "mapping": nodes}


CHATS = [chat(str(number), *TEXTS) for number in range(4)]


def turns(record: ConversationRecord) -> list[str]:
    return [message.content for message in record.messages]


class Pipe(io.RawIOBase):
    """What is written to it, without a way back."""

    def __init__(self) -> None:
        self.content = b""

    def writable(self) -> bool:
        return True

    def write(self, part: Any) -> int:
        self.content += bytes(part)
        return len(part)


def zipped(files: dict[str, bytes], *, seekable: bool = True) -> bytes:
    """`seekable=False`: as programs write that stream a zip: sizes stand behind each file."""
    held = io.BytesIO() if seekable else Pipe()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return held.content if isinstance(held, Pipe) else held.getvalue()


@pytest.mark.parametrize("wrap", [lambda chats: chats, lambda chats: {"v": 1, "conversations": chats}])
@pytest.mark.parametrize("indent", [None, 1])
def test_of_a_list_that_ends_in_the_middle_everything_before_arrives(read_file, wrap, indent) -> None:
    content = json.dumps(wrap(CHATS), indent=indent)
    at = content.index('"Title 2"') + content[content.index('"Title 2"') :].index('"4": {')
    found, report = read_file(content[:at].encode())
    assert [record.id for record in found] == ["0", "1", "2"]
    assert [turns(record) for record in found] == [[*TEXTS], [*TEXTS], [*TEXTS[:3]]]
    assert (report.reasons["broken"], report.reasons["cut"]) == (1, 1)
    reasons = report.by_reason()
    assert reasons["cut"][1][0].conversation == "Title 2"  # type: ignore[index]
    assert reasons["broken"][1][0].node.startswith("line ")  # type: ignore[index]


def test_a_conversation_of_which_only_the_title_is_there_is_named(read_file) -> None:
    content = json.dumps(CHATS)
    found, report = read_file(content[: content.index('"mapping"', content.index('"Title 3"'))].encode())
    assert len(found) == 3
    ((_, node),) = report.by_reason()["broken"][1]  # type: ignore[index]
    assert node.endswith(": Title 3")


def test_what_follows_a_damaged_place_arrives(read_file) -> None:
    content = json.dumps(CHATS).replace('"Title 1",', '"Title 1"#')
    found, report = read_file(content.encode())
    assert [record.id for record in found] == ["0", "2", "3"]
    assert all(turns(record) == [*TEXTS] for record in found)
    assert report.reasons["broken"] == 1


@pytest.mark.parametrize("between", ["\n", "", " \r\n"])
def test_one_json_after_the_other_is_nothing_odd(read_file, between: str) -> None:
    for content in (between.join(map(json.dumps, CHATS)), between.join(json.dumps([one]) for one in CHATS)):
        found, report = read_file(content.encode())
        assert [record.id for record in found] == ["0", "1", "2", "3"]
        assert set(report.reasons) == {"empty"}


def test_backslashes_that_escape_nothing_are_backslashes(read_file) -> None:
    content = json.dumps([chat("a", "C:XXX it'XXXs", "\\\\ \n")]).replace("XXX", "\\x")
    (found,), report = read_file(content.encode())
    assert turns(found) == ["C:\\x it'\\xs", "\\\\ \n"]
    assert set(report.reasons) == {"empty"}


FILES = {"user.json": b"{}", "chat.html": b"<p>" * 9_000, "conversations.json": json.dumps(CHATS).encode()}
BESIDE = FILES | {"file-1.png": bytes(range(256)) * 400, "empty/": b"", "__MACOSX/._user.json": b"\0"}


@pytest.mark.parametrize("seekable", [True, False])
def test_a_zip_whose_end_is_missing_is_read(read_file, seekable: bool) -> None:
    content = zipped(BESIDE, seekable=seekable)
    found, report = read_file(content[: content.index(b"file-1.png") + 300])
    assert [turns(record) for record in found] == [[*TEXTS]] * 4
    assert [place.node for place in report.by_reason()["broken"][1]] == ["file-1.png"]  # type: ignore[index]
    assert report.reasons["beside"] == 3


@pytest.mark.parametrize("seekable", [True, False])
def test_a_zip_that_ends_within_the_conversations_is_read_up_to_there(read_file, seekable: bool) -> None:
    content = zipped(FILES, seekable=seekable)
    found, report = read_file(content[: content.index(b"conversations.json") + 260])
    assert found
    assert all(turns(record) == [*TEXTS][: len(record.messages)] for record in found)
    assert report.reasons["broken"] == 2


def test_a_damaged_file_in_a_zip_is_read_up_to_there(read_file) -> None:
    random_words = json.dumps([chat("r", "".join(random.Random(1).choices("abcdefgh ", k=20_000)))]).encode()
    content = bytearray(
        zipped({"conversations-0.json": random_words, "conversations-1.json": FILES["conversations.json"]})
    )
    content[3_000] ^= 0xFF
    found, report = read_file(bytes(content))
    assert [record.id for record in found][-4:] == ["0", "1", "2", "3"]
    assert report.reasons["broken"] >= 1


def test_the_other_files_of_a_zip_are_counted_and_named(read_file) -> None:
    _, report = read_file(zipped(BESIDE))
    places = report.by_reason()["beside"][1]  # type: ignore[index]
    assert [place.node for place in places] == ["user.json", "chat.html", "file-1.png"]


@pytest.mark.parametrize("codec", ["gb18030", "big5", "cp1252", "utf-16-le", "utf-16-be", "utf-32"])
def test_another_encoding_is_guessed_and_told(read_file, codec: str) -> None:
    language = {"gb18030": "zh_hans", "big5": "zh_hant"}.get(codec, "de")
    texts = SENTENCES[language][:3]
    content = json.dumps([chat("a", *texts)], ensure_ascii=False).encode(codec)
    (found,), report = read_file(content)
    assert turns(found) == list(texts)
    assert report.reasons["encoding"] == (codec != "utf-32")


def check_cut(seed: int, path: Path) -> None:
    """However an export is cut: the conversations before arrive as from the whole."""
    rng = random.Random(seed)
    source = rng.choice(list(MAKERS))
    raw = [MAKERS[source](rng, f"{source}-{seed}-{number}").raw for number in range(rng.randint(1, 4))]
    content = json.dumps(raw, indent=rng.choice([None, 1]), ensure_ascii=rng.random() < 0.5)
    whole = content.encode("utf-8", "surrogatepass")
    path.write_bytes(whole)
    right = {entry[1].id: entry[1] for entry in read_export(path) if isinstance(entry, tuple)}
    begins = [whole.index(f'"{source}-{seed}-{number}"'.encode()) for number in range(len(raw))]
    cut = rng.randint(2, len(whole) - 2)
    path.write_bytes(whole[:cut])
    report = ImportReport()
    found = {}
    try:
        for entry in read_export(path, report):
            assert isinstance(entry, tuple)
            found[entry[1].id] = check_record(entry[1], "$")
    except ImportRefusedError:
        assert len(begins) < 2 or cut < begins[1]
        return
    assert report.reasons["broken"] == 1
    assert sum(report.outcomes.values()) == report.nodes
    for number, begin in enumerate(begins[1:]):
        id = f"{source}-{seed}-{number}"
        if begin < cut and id in right:
            assert texts_of(found[id]) == texts_of(right[id])


def texts_of(record: ConversationRecord) -> list[tuple[str, str | None, str, str]]:
    return [(one.id, one.parent, one.content, one.reasoning) for one in record.messages]


@pytest.mark.parametrize("seed", range(100))
def test_a_cut_loses_only_what_is_behind_it(seed: int, tmp_path: Path) -> None:
    check_cut(seed, tmp_path / "export")


@pytest.mark.proof
def test_two_thousand_cuts_neither(tmp_path: Path) -> None:
    for seed in range(100, 2_100):
        check_cut(seed, tmp_path / "export")
