"""Read the files of a zip by their own headers, where its directory, which stands at the end, is cut off.

Of each file comes what can be unpacked: the one in which the zip ends is cut itself.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, NamedTuple

SIGNATURE = b"PK\x03\x04"

_HEADER = struct.Struct("<4s5H3I2H")
"""Signature, version, flags, compression, time, date, checksum, packed, unpacked, sizes of name and extra."""

_DESCRIPTOR = b"PK\x07\x08"
_SIZE_FOLLOWS, _IS_UTF8, _IS_ENCRYPTED = 0x8, 0x800, 0x1
_STORED, _DEFLATED = 0, 8
_UNKNOWN_SIZE = 0xFFFFFFFF
READ_BYTES = 256 * 1024


class SalvagedFile(NamedTuple):
    """A file of the zip; `content` is None where it was not asked for. `is_whole`: its end is there."""

    name: str
    content: bytes | None
    is_whole: bool


def salvaged_files(
    path: Path, wanted: Callable[[str], bool], limit: int, begin: int = 0
) -> Iterator[SalvagedFile]:
    """The files one after the other, those that are wanted with at most `limit` bytes of their content.

    `begin`: where the first header stands. It ends where no header follows, or where a file has no known end.
    """
    with path.open("rb") as file:
        file.seek(begin)
        while (head := file.read(_HEADER.size)).startswith(SIGNATURE) and len(head) == _HEADER.size:
            _, _, flags, method, _, _, _, packed, _, name_size, extra_size = _HEADER.unpack(head)
            name = file.read(name_size).decode("utf-8" if flags & _IS_UTF8 else "cp437", "replace")
            file.seek(extra_size, 1)
            size = None if flags & _SIZE_FOLLOWS or packed == _UNKNOWN_SIZE else packed
            if flags & _IS_ENCRYPTED or method not in (_STORED, _DEFLATED) or (size is None and not method):
                return
            keep = limit if wanted(name) else 0
            read = _inflated if method == _DEFLATED else _stored
            content, is_whole = read(file, keep, size)
            yield SalvagedFile(name, content if wanted(name) else None, is_whole)
            if not is_whole:
                return
            if flags & _SIZE_FOLLOWS:
                _skip_descriptor(file)


def _stored(file: IO[bytes], keep: int, size: int | None) -> tuple[bytes, bool]:
    """(the content, whether all of it is there)."""
    size = size or 0
    begin = file.tell()
    content = file.read(min(keep, size))
    end = file.seek(0, 2)
    file.seek(min(end, begin + size))
    return content, end >= begin + size


def _inflated(file: IO[bytes], keep: int, size: int | None) -> tuple[bytes, bool]:
    """(the content, whether all of it is there). The file stands behind the packed bytes then."""
    begin = file.tell()
    if size is not None and not keep:
        return _stored(file, 0, size)
    unpacker, held = zlib.decompressobj(-zlib.MAX_WBITS), 0
    parts: list[bytes] = []
    rest = b""
    while not unpacker.eof:
        if not (rest := rest or file.read(READ_BYTES)):
            return b"".join(parts), False
        try:
            part = unpacker.decompress(rest, READ_BYTES)
        except zlib.error:
            return b"".join(parts), False
        rest = unpacker.unconsumed_tail
        parts.append(part[: max(0, keep - held)])
        held += len(parts[-1])
    file.seek(begin + size if size is not None else file.tell() - len(unpacker.unused_data))
    return b"".join(parts), True


def _skip_descriptor(file: IO[bytes]) -> None:
    """The checksum and sizes that stand behind a file of which the header does not know them."""
    begin = file.tell()
    near = file.read(32)
    at = near.find(SIGNATURE, 12)
    file.seek(begin + (at if at >= 0 else 16 if near.startswith(_DESCRIPTOR) else 12))
