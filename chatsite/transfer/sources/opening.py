"""Open an import file: one JSON document, or a zip of them. Every read is bounded."""

from __future__ import annotations

import codecs
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import msgspec

from chatsite.attachments.reading.encodings import BYTE_ORDER_MARKS, decode_text, unmarked_utf16
from chatsite.transfer.sources.broken_zip import SIGNATURE, salvaged_files
from chatsite.transfer.validation import TOO_DEEP, ImportRefusedError

T = TypeVar("T")

MAX_DOCUMENT_BYTES = 512 * 2**20
"""One JSON document, uncompressed: ChatGPT puts everything into one. It is held in memory meanwhile."""

MAX_BYTES = 4 * 2**30
"""All documents of a zip together, uncompressed."""

MAX_ENTRIES = 200_000
MAX_RATIO = 300
"""Text shrinks to a tenth; what claims to grow by more than this is a bomb."""

SAMPLE_BYTES = 64 * 1024
LEAST_BEYOND_ASCII = 4
"""Fewer such bytes are damage rather than another encoding."""

BYTES_OF_BROKEN = 3
"""A broken character counts once for each of its bytes: so many of half a surrogate pair."""

_HALF_A_PAIR = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")

TOO_LARGE = f"Uncompressed it has more than {MAX_BYTES // 2**30} GiB."
CUT = "its end is missing."
SYSTEMS_OWN = (".DS_Store", "Thumbs.db", "desktop.ini")


@dataclass(frozen=True)
class JsonDocument:
    """A JSON document: its name in the zip (empty where the file itself is it), and its bytes as UTF-8.

    `encoding`: what it was guessed to be written in, empty where there is no doubt.
    """

    name: str
    content: bytes
    encoding: str = ""

    def decode(self, schema: type[T], content: bytes | msgspec.Raw | None = None, place: str = "$") -> T:
        """A part of it as a schema. Raises ImportRefusedError with the place."""
        try:
            return msgspec.json.decode(self.content if content is None else content, type=schema)
        except msgspec.ValidationError as error:
            reason, _, path = str(error).partition(" - at `")
            inner = path.rstrip("`").removeprefix("$")
            raise ImportRefusedError(self.at(place + inner), f"{reason}.") from error
        except RecursionError as error:
            raise ImportRefusedError(self.at(place), TOO_DEEP) from error
        except (msgspec.DecodeError, UnicodeError) as error:
            raise ImportRefusedError(self.at(self._line_of(error, place)), f"{error}.") from error

    def at(self, place: str) -> str:
        """A place in it, as a person can find it."""
        return f"{self.name} {place}".strip()

    def _line_of(self, error: Exception, place: str) -> str:
        """Where broken JSON breaks; msgspec names the byte."""
        if place != "$":
            return place
        digits = str(error).rpartition("byte ")[2].rstrip(")")
        end = int(digits) if digits.isdecimal() else len(self.content)
        line = self.content.count(b"\n", 0, end) + 1
        return f"line {line}"


@dataclass(frozen=True)
class OtherFile:
    """A file of a zip that holds no conversations."""

    name: str


@dataclass(frozen=True)
class BrokenFile:
    """Where a zip is cut or damaged: the name of the file, and how that is told."""

    name: str
    reason: str


Opened = JsonDocument | OtherFile | BrokenFile


def opened_files(path: Path) -> Iterator[Opened]:
    """The documents of the file, one in memory at a time, and what else is in a zip.

    Of a zip that is cut or damaged comes what can be unpacked. Raises ImportRefusedError.
    """
    if not zipfile.is_zipfile(path):
        if is_cut_zip(path):
            yield from _of_cut_zip(path)
            return
        if path.stat().st_size > MAX_DOCUMENT_BYTES:
            raise ImportRefusedError("", f"JSON may have {MAX_DOCUMENT_BYTES // 2**20} MiB at most.")
        yield _document("", path.read_bytes())
        return
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {entry.filename: entry for entry in archive.infolist()}
            wanted = _wanted(archive.namelist())
            if sum(entries[name].file_size for name in wanted) > MAX_BYTES:
                raise ImportRefusedError("", TOO_LARGE)
            yield from map(OtherFile, _others(entries, wanted))
            for name in wanted:
                yield from _of_entry(path, archive, entries[name])
    # zipfile tells of an unknown compression by NotImplementedError, of a password by RuntimeError.
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise ImportRefusedError("", f"The zip cannot be read: {error}.") from error


def is_cut_zip(path: Path) -> bool:
    """Whether it begins as a zip does whose end is missing."""
    with path.open("rb") as file:
        return file.read(len(SIGNATURE)) == SIGNATURE and not zipfile.is_zipfile(path)


def _of_entry(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[Opened]:
    """The document; of a damaged one what can be unpacked."""
    try:
        yield _document(entry.filename, _read(archive, entry))
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        yield BrokenFile(entry.filename, f"The zip cannot be read: {error}.")
        limit = _limit_of(entry)
        for found in salvaged_files(path, lambda name: True, limit, entry.header_offset):
            if found.content:
                yield _document(entry.filename, found.content)
            return


def _of_cut_zip(path: Path) -> Iterator[Opened]:
    listed = list(islice(salvaged_files(path, lambda name: False, 0), MAX_ENTRIES + 1))
    if not listed:
        raise ImportRefusedError("", f"The zip cannot be read: {CUT}")
    wanted = set(_wanted([found.name for found in listed]))
    yield from map(OtherFile, _others((found.name for found in listed), wanted))
    yield BrokenFile(listed[-1].name, CUT)
    left = MAX_BYTES
    for found in salvaged_files(path, wanted.__contains__, MAX_DOCUMENT_BYTES + 1):
        if not found.content:
            continue
        left -= len(found.content)
        if left < 0 or len(found.content) > MAX_DOCUMENT_BYTES:
            raise ImportRefusedError(found.name, TOO_LARGE)
        yield _document(found.name, found.content)


def _wanted(names: list[str]) -> list[str]:
    """Those that hold conversations. Raises ImportRefusedError where none does, or there are too many."""
    if len(names) > MAX_ENTRIES:
        raise ImportRefusedError("", f"The zip has {len(names):,} files; at most {MAX_ENTRIES:,}.")
    documents = [name for name in names if is_json(name)]
    # Some products name their documents as they like: then all of them are looked into.
    found = [name for name in documents if _is_conversations(name)] or documents
    if not found:
        raise ImportRefusedError(
            "", "The zip holds no conversations: neither conversations.json nor a folder conversations/."
        )
    return list(dict.fromkeys(found))


def _others(names: Iterable[str], wanted: Iterable[str]) -> Iterator[str]:
    """The other files, but for folders and what a system lays beside each file."""
    known = set(wanted)
    for name in names:
        if name not in known and not name.endswith("/") and not is_systems_own(name):
            yield name


def is_json(name: str) -> bool:
    """By its name, and none of what a system lays beside each file."""
    return name.lower().endswith(".json") and not is_systems_own(name)


def is_systems_own(name: str) -> bool:
    """What a Mac's Finder and Windows lay beside files: `__MACOSX/…`, `._name`, `.DS_Store`."""
    base = name.replace("\\", "/").rpartition("/")[2]
    return base.startswith("._") or name.startswith("__MACOSX/") or base in SYSTEMS_OWN


def _is_conversations(name: str) -> bool:
    """ChatGPT's and Claude's `conversations.json` or `conversations-003.json`; ours: `conversations/…`,
    `account.json`. All may lie in a folder that was zipped again."""
    folder, _, base = name.lower().replace("\\", "/").rpartition("/")
    return base.startswith("conversations") or folder.endswith("conversations") or base == "account.json"


def _document(name: str, content: bytes) -> JsonDocument:
    """The document without a byte order mark, as UTF-8; so that marks of UTF-16 and guesses are followed."""
    for mark, codec in BYTE_ORDER_MARKS:
        if content.startswith(mark):
            if codec == "utf-8-sig":
                return JsonDocument(name, content.removeprefix(mark))
            return JsonDocument(name, content.decode(codec, "replace").encode("utf-8", "replace"))
    if 0 in content[:2] and (codec := unmarked_utf16(content) or ""):
        return JsonDocument(name, content.decode(codec, "replace").encode("utf-8", "replace"), codec)
    if not _is_utf8(content) and (encoding := _legacy_encoding(content)):
        found = decode_text(content, encoding)
        return JsonDocument(name, found.text.encode() if found else content, encoding)
    return JsonDocument(name, content)


def _is_utf8(content: bytes) -> bool:
    """Without a copy of it."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    view = memoryview(content)
    try:
        for at in range(0, len(content), SAMPLE_BYTES):
            decoder.decode(view[at : at + SAMPLE_BYTES])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _legacy_encoding(content: bytes) -> str:
    """What a file is written in that is not UTF-8 with a few broken places; empty where nothing says it."""
    first = next(found.start() for found in _BEYOND_ASCII.finditer(content))
    sample = content[first : first + SAMPLE_BYTES].rpartition(b'"')[0]  # a byte of no longer character
    sample = _HALF_A_PAIR.sub(b"", sample)
    if len(_BEYOND_ASCII.findall(sample)) < LEAST_BEYOND_ASCII:
        return ""
    as_utf8 = sample.decode("utf-8", "replace")
    broken = as_utf8.count("\ufffd")
    whole = sum(character > "\x7f" for character in as_utf8) - broken
    if whole * BYTES_OF_BROKEN >= broken:
        return ""  # no other encoding looks like so much of UTF-8
    found = decode_text(sample)
    return found.encoding if found and found.encoding != "utf-8" else ""


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """Its bytes; a size that lies is found out by reading no more than was announced."""
    limit = _limit_of(entry)
    if entry.file_size > limit:
        raise ImportRefusedError(entry.filename, f"{entry.file_size:,} bytes uncompressed are not taken.")
    with archive.open(entry) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise ImportRefusedError(entry.filename, "It is larger than it says.")
    return content


def _limit_of(entry: zipfile.ZipInfo) -> int:
    return min(MAX_DOCUMENT_BYTES, max(1, entry.compress_size) * MAX_RATIO + 2**20)
