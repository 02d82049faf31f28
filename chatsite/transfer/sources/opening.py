"""Open an import file: one JSON document, or a zip of them. Every read is bounded."""

from __future__ import annotations

import codecs
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from chatsite.transfer.validation import TOO_DEEP, ImportRefusedError

T = TypeVar("T")

MAX_DOCUMENT_BYTES = 512 * 2**20
"""One JSON document, uncompressed: ChatGPT puts everything into one. It is held in memory meanwhile."""

MAX_BYTES = 4 * 2**30
"""All documents of a zip together, uncompressed."""

MAX_ENTRIES = 200_000
MAX_RATIO = 300
"""Text shrinks to a tenth; what claims to grow by more than this is a bomb."""


@dataclass(frozen=True)
class JsonDocument:
    """A JSON document: its name in the zip (empty where the file itself is it), and its bytes."""

    name: str
    content: bytes

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


def json_documents(path: Path) -> Iterator[JsonDocument]:
    """The documents of the file, one in memory at a time. Raises ImportRefusedError."""
    if not zipfile.is_zipfile(path):
        if path.stat().st_size > MAX_DOCUMENT_BYTES:
            raise ImportRefusedError("", f"JSON may have {MAX_DOCUMENT_BYTES // 2**20} MiB at most.")
        yield JsonDocument("", _utf8(path.read_bytes()))
        return
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in _wanted(archive):
                yield JsonDocument(entry.filename, _utf8(_read(archive, entry)))
    # zipfile tells of an unknown compression by NotImplementedError, of a password by RuntimeError.
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, RuntimeError) as error:
        raise ImportRefusedError("", f"The zip cannot be read: {error}.") from error


def _wanted(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES:
        raise ImportRefusedError("", f"The zip has {len(entries):,} files; at most {MAX_ENTRIES:,}.")
    documents = [entry for entry in entries if is_json(entry.filename)]
    # Some products name their documents as they like: then all of them are looked into.
    found = [entry for entry in documents if _is_conversations(entry.filename)] or documents
    if not found:
        raise ImportRefusedError(
            "", "The zip holds no conversations: neither conversations.json nor a folder conversations/."
        )
    if sum(entry.file_size for entry in found) > MAX_BYTES:
        raise ImportRefusedError("", f"Uncompressed it has more than {MAX_BYTES // 2**30} GiB.")
    return found


def is_json(name: str) -> bool:
    """Not what a Mac's Finder lays beside each file: `__MACOSX/…`, `._name`."""
    base = name.replace("\\", "/").rpartition("/")[2]
    return base.lower().endswith(".json") and not base.startswith("._") and not name.startswith("__MACOSX/")


def _is_conversations(name: str) -> bool:
    """ChatGPT's and Claude's `conversations.json` or `conversations-003.json`; ours: `conversations/…`,
    `account.json`. All may lie in a folder that was zipped again."""
    folder, _, base = name.lower().replace("\\", "/").rpartition("/")
    return base.startswith("conversations") or folder.endswith("conversations") or base == "account.json"


def _utf8(content: bytes) -> bytes:
    """The text without a byte order mark, as UTF-8 where the mark says that it is UTF-16."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", "replace").encode("utf-8", "replace")
    return content.removeprefix(codecs.BOM_UTF8)


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """Its bytes; a size that lies is found out by reading no more than was announced."""
    limit = min(MAX_DOCUMENT_BYTES, max(1, entry.compress_size) * MAX_RATIO + 2**20)
    if entry.file_size > limit:
        raise ImportRefusedError(entry.filename, f"{entry.file_size:,} bytes uncompressed are not taken.")
    with archive.open(entry) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise ImportRefusedError(entry.filename, "It is larger than it says.")
    return content
