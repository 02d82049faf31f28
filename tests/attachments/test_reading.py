"""Documents are read in a process with limits: what they say comes out, and nothing worse."""

from __future__ import annotations

import random
import resource
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest

from chatsite.attachments.reading.child import read_in_child
from chatsite.attachments.reading.limits import ReadLimits
from chatsite.attachments.reading.reader import ExtractedDocument, read_document
from chatsite.attachments.reading.unreadable import UnreadableError
from tests.support import document_files as files
from tests.support.source import ROOT
from tests.support.waiting import PATIENCE_S

TIGHT = ReadLimits(seconds=5, memory_mb=512, pages=20, chars=100_000)
USUAL = ReadLimits(pages=20, chars=100_000)


def read(tmp_path: Path, content: bytes, limits: ReadLimits = USUAL) -> ExtractedDocument:
    return read_document(store(tmp_path, content), limits, owner=1)


def store(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "file"
    path.write_bytes(content)
    return path


def refused(tmp_path: Path, content: bytes, limits: ReadLimits = USUAL) -> UnreadableError:
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
        (b"page one.\x0cpage two\x0bline\x1etwo", "page one.\npage two\nline\ntwo"),
    ],
)
def test_text_in_the_encodings_of_the_office(tmp_path: Path, content: bytes, text: str) -> None:
    found = read(tmp_path, content)
    assert (found.kind, found.text) == ("text", text)


@pytest.mark.parametrize(
    ("encoding", "codec", "text"),
    [
        ("GBKp-EUC-H", "gbk", "会议纪要第二季度"),
        ("GBKp-EUC-V", "gbk", "会议纪要第二季度"),
        ("B5pc-H", "big5", "會議紀錄第二季"),
        ("HKscs-B5-H", "big5hkscs", "會議紀錄喺度"),
        ("90msp-RKSJ-H", "cp932", "会議の記録"),
        ("EUC-H", "euc_jp", "会議の記録"),
        ("KSCms-UHC-H", "cp949", "회의 기록"),
        ("UniGB-UTF8-H", "utf-8", "会议纪要"),
    ],
)
def test_pdf_in_an_encoding_that_the_standard_predefines(
    tmp_path: Path, encoding: str, codec: str, text: str
) -> None:
    assert (
        read_in_child(store(tmp_path, files.encoded_pdf(encoding, text.encode(codec))), USUAL)["text"] == text
    )


def test_pdf_in_seven_bits_of_jis(tmp_path: Path) -> None:
    shown = bytes(byte & 0x7F for byte in "会議".encode("euc_jp"))
    assert read_in_child(store(tmp_path, files.encoded_pdf("H", shown)), USUAL)["text"] == "会議"


def test_pdf_says_how_many_of_its_pages_hold_almost_no_text(tmp_path: Path) -> None:
    scan = read(tmp_path, files.scanned_pdf(12, "Scanned with CamScanner"))
    assert (scan.pages, scan.sparse_pages) == (12, 12)
    assert scan.text == "\n\n".join(["Scanned with CamScanner"] * 12)
    assert read(tmp_path, files.scanned_pdf(2, "A page of words. " * 10)).sparse_pages == 0
    assert read(tmp_path, files.pdf("A title", "A short page")).sparse_pages == 0


def test_pdf_form_with_what_is_filled_in(tmp_path: Path) -> None:
    form = files.filled_form(
        "Application", {"name": "Maria 王", "agree": True, "spam": False, "days": ["1", "2"]}
    )
    assert read(tmp_path, form).text == "Application\n\nname: Maria 王\nagree: Yes\ndays: 1, 2"


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
        (files.pdf(*["page"] * 4), ReadLimits(pages=3), "4 pages; 3 can be read"),
        (files.word(["word " * 10] * 50), ReadLimits(chars=1_000), "more than 1,000 characters"),
    ],
)
def test_what_is_too_long_is_refused_with_the_figures(
    tmp_path: Path, content: bytes, limits: ReadLimits, says: str
) -> None:
    assert says in str(refused(tmp_path, content, limits))


def readers_cpu_s() -> float:
    """Processor time of every process that this one has started and seen end: what a limit is made of."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.slow
@pytest.mark.parametrize("bomb", [files.zip_bomb, files.entity_bomb, files.pdf_bomb, files.pdf_loop])
def test_a_bomb_ends_within_its_limits_with_an_error(tmp_path: Path, bomb) -> None:
    content = bomb()
    assert len(content) < 2 * 1024 * 1024
    before = readers_cpu_s()
    assert refused(tmp_path, content, TIGHT).reason
    assert readers_cpu_s() - before < TIGHT.seconds + 1, "the kernel ends it, on whatever machine"


CONFINED = """
import os, sys, threading
from pathlib import Path
from chatsite.attachments.reading import child
from chatsite.attachments.reading.limits import ReadLimits
paths = [Path(path) for path in sys.argv[1:]]
for path in paths:  # so that all is imported: somebody else may not read the interpreter's files
    child.read_in_child(path, ReadLimits())
child.limit_process(ReadLimits())
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
    print(child.read_in_child(path, ReadLimits())["kind"])
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
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=PATIENCE_S
        )
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
        before = readers_cpu_s()
        with suppress(UnreadableError):
            assert read(tmp_path, fuzzed(seed), TIGHT).text.strip(), f"seed {seed}"
        assert readers_cpu_s() - before < TIGHT.seconds + 1, f"seed {seed}"


@pytest.mark.slow
def test_broken_files_give_text_or_an_error(tmp_path: Path) -> None:
    fuzz(tmp_path, range(12))


@pytest.mark.proof
@pytest.mark.timeout(3_600)
def test_a_thousand_broken_files_give_text_or_an_error(tmp_path: Path) -> None:
    fuzz(tmp_path, range(1_000, 2_000))
