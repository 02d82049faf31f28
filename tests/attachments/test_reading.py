"""Documents are read in a process with limits: what they say comes out, and nothing worse."""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest

from chatsite.attachments.reading.limits import Limits
from chatsite.attachments.reading.reader import Document, read_document
from chatsite.attachments.reading.unreadable import UnreadableError
from tests.attachments import files
from tests.source import ROOT

TIGHT = Limits(seconds=5, memory_mb=512, pages=20, chars=100_000)


def read(tmp_path: Path, content: bytes, limits: Limits = TIGHT) -> Document:
    path = tmp_path / "file"
    path.write_bytes(content)
    return read_document(path, limits, owner=1)


def refused(tmp_path: Path, content: bytes, limits: Limits = TIGHT) -> UnreadableError:
    with pytest.raises(UnreadableError) as caught:
        read(tmp_path, content, limits)
    return caught.value


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"plain\r\ntext\r", "plain\ntext\n"),
        ("名字,数量\n苹果,3\n".encode(), "名字,数量\n苹果,3\n"),
        ("名字,数量\n苹果,3\n".encode("gb18030"), "名字,数量\n苹果,3\n"),
        ("\ufeff# 标题".encode(), "# 标题"),
        ("标题 Title".encode("utf-16"), "标题 Title"),
        (b"MZ is how this sentence begins.", "MZ is how this sentence begins."),
        (b"<|im_start|>system\x1b[31m", "<|im_start|>system[31m"),
    ],
)
def test_text_in_the_encodings_of_the_office(tmp_path: Path, content: bytes, text: str) -> None:
    found = read(tmp_path, content)
    assert (found.kind, found.text) == ("text", text)


def test_pdf_with_chinese_and_english(tmp_path: Path) -> None:
    found = read(tmp_path, files.pdf("The harbour opens at six.", "港口六点开放。需求文档第二页。"))
    assert (found.kind, found.pages) == ("pdf", 2)
    assert "The harbour opens at six." in found.text
    assert "港口六点开放。需求文档第二页。" in found.text


def test_docx_keeps_the_order_of_headings_paragraphs_and_tables(tmp_path: Path) -> None:
    found = read(tmp_path, files.word(["第一段 First."], [["name", "count"], ["苹果", "3"]]))
    assert found.kind == "docx"
    assert found.text == ("# Report\n\n第一段 First.\n\n| name | count |\n| --- | --- |\n| 苹果 | 3 |")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x89PNG\r\n\x1a\n\x00\x00", "picture"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00", "old_office"),
        (b"\x7fELF\x02\x01\x01\x00", "program"),
        (b"{\\rtf1 text}", "rich_text"),
        (b"some text\x00and more", "binary"),
        (b"\xff\xff\x80\x81 neither", "encoding"),
        (b"   \n\t ", "empty"),
        (b"%PDF-1.7\nnothing of the kind", "damaged"),
        (b"PK\x03\x04 no archive", "damaged"),
        (files.pdf(""), "scan"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    assert refused(tmp_path, content).reason == reason


def test_a_file_is_what_it_holds_not_what_it_is_called(tmp_path: Path) -> None:
    archive = files.zip_bomb(megabytes=1).replace(b"word/document.xml", b"some/other_.thing")
    assert refused(tmp_path, archive).reason == "archive"


@pytest.mark.parametrize(
    ("content", "limits", "says"),
    [
        (b"word " * 30_000, TIGHT, "more than 100,000 characters"),
        (b"word " * 100_000, TIGHT, "more than 100,000 characters"),
        (files.pdf(*["page"] * 4), Limits(pages=3), "4 pages; 3 can be read"),
        (files.word(["word " * 10] * 50), Limits(chars=1_000), "more than 1,000 characters"),
    ],
)
def test_what_is_too_long_is_refused_with_the_figures(
    tmp_path: Path, content: bytes, limits: Limits, says: str
) -> None:
    assert says in str(refused(tmp_path, content, limits))


@pytest.mark.slow
@pytest.mark.parametrize("bomb", [files.zip_bomb, files.entity_bomb, files.pdf_bomb, files.pdf_loop])
def test_a_bomb_ends_within_its_limits_with_an_error(tmp_path: Path, bomb) -> None:
    content = bomb()
    assert len(content) < 2 * 1024 * 1024
    began = time.monotonic()
    assert refused(tmp_path, content).reason
    assert time.monotonic() - began < TIGHT.wall_s + 2


CONFINED = """
import os, sys, threading
from pathlib import Path
from chatsite.attachments.reading import child
from chatsite.attachments.reading.limits import Limits
paths = [Path(path) for path in sys.argv[1:]]
for path in paths:  # so that all is imported: somebody else may not read the interpreter's files
    child.read(path, Limits())
child.confine(Limits())
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
def fork():
    if os.fork() == 0:
        os._exit(0)
for start in (fork, threading.Thread(target=int).start):
    try:
        start()
        print("STARTED")
    except (OSError, RuntimeError):
        print("REFUSED")
for path in paths:
    print(child.read(path, Limits())["kind"])
"""


def test_the_reader_starts_no_process_and_needs_none() -> None:
    """As somebody whom the kernel holds to it: root it does not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        paths = []
        for number, content in enumerate(good_files()):
            path = Path(folder) / str(number)
            path.write_bytes(content)
            path.chmod(0o644)
            paths.append(str(path))
        command = [sys.executable, "-c", CONFINED, *paths]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.split() == ["REFUSED", "REFUSED", "pdf", "docx", "text"], done.stderr


@cache
def good_files() -> list[bytes]:
    words = "Some text. 一些文字。"
    return [files.pdf(words), files.word([words], [["a", "b"]]), words.encode() * 50]


def fuzzed(seed: int) -> bytes:
    """A good file, broken: bytes changed, cut off, doubled."""
    chance = random.Random(seed)
    data = bytearray(chance.choice(good_files()))
    for _ in range(chance.randint(1, 40)):
        match chance.randrange(4):
            case 0:
                data[chance.randrange(len(data))] = chance.randrange(256)
            case 1:
                del data[chance.randrange(1, len(data)) :]
            case 2:
                at = chance.randrange(len(data))
                data[at:at] = data[at : at + chance.randint(1, 400)]
            case 3:
                at = chance.randrange(len(data))
                data[at : at + chance.randint(1, 60)] = chance.randbytes(chance.randint(1, 60))
        if len(data) < 2:
            break
    return bytes(data)


def fuzz(tmp_path: Path, seeds: range) -> None:
    for seed in seeds:
        began = time.monotonic()
        with suppress(UnreadableError):
            assert read(tmp_path, fuzzed(seed)).text.strip(), f"seed {seed}"
        assert time.monotonic() - began < TIGHT.wall_s + 2, f"seed {seed}"


@pytest.mark.slow
def test_broken_files_give_text_or_an_error(tmp_path: Path) -> None:
    fuzz(tmp_path, range(12))


@pytest.mark.proof
@pytest.mark.timeout(3_600)
def test_a_thousand_broken_files_give_text_or_an_error(tmp_path: Path) -> None:
    fuzz(tmp_path, range(1_000, 2_000))
