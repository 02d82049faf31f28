"""PDF: the text of each page and what its form fields hold, by pypdf."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pypdf import PageObject, PdfReader, _cmap
from pypdf.generic import IndirectObject, StreamObject

from chatsite.attachments.reading.limits import ReadLimits
from chatsite.attachments.reading.unreadable import UnreadableError

CMAPS = {
    "GBKp-EUC": "gb18030",
    "GBT-EUC": "gb18030",
    "B5pc": "cp950",
    "HKscs-B5": "big5hkscs",
    "83pv-RKSJ": "cp932",
    "90pv-RKSJ": "cp932",
    "90msp-RKSJ": "cp932",
    "Add-RKSJ": "cp932",
    "Ext-RKSJ": "cp932",
    "RKSJ": "cp932",
    "EUC": "euc_jp",
    "KSC-EUC": "cp949",
    "KSCpc-EUC": "cp949",
    "KSCms-UHC": "cp949",
    "KSCms-UHC-HW": "cp949",
    "UniKS-UTF16": "utf-16-be",
    "UniJIS2004-UTF16": "utf-16-be",
    "UniJISX0213-UTF16": "utf-16-be",
    **{f"Uni{language}-UTF8": "utf-8" for language in ("GB", "CNS", "JIS", "JIS2004", "KS")},
    **{f"Uni{language}-UTF32": "utf-32-be" for language in ("GB", "CNS", "JIS", "JIS2004", "KS")},
}
"""Encodings that the standard predefines (ISO 32000-2, table 116) and pypdf lacks, as Python's codecs."""

JIS_CMAPS = ("H", "V")
"""JIS X 0208 in two bytes of seven bits: EUC without its high bits."""

SPARSE_CHARS = 50
"""A page with fewer, blanks not counted, holds no more than a stamp or a page number."""

INLINE_PICTURE = re.compile(rb"\bBI\s[^\x80-\xff]{0,2000}?\sID\s")

PUSH_BUTTON, PASSWORD = 1 << 16, 1 << 13
"""Flags of fields that hold nothing to read (ISO 32000-2, tables 229 and 231)."""

DEEPEST_FIELD = 50


class PdfText:
    """A document's pages: how many, their texts as they are read, and how many of those hold `sparse` text.

    Raises UnreadableError, now or while iterating.
    """

    def __init__(self, path: Path, limits: ReadLimits) -> None:
        _add_cmaps()
        self.sparse = 0
        try:
            self._reader = PdfReader(path)
            if self._reader.is_encrypted and not self._reader.decrypt(""):
                raise UnreadableError("locked")
            self.pages = len(self._reader.pages)
        except UnreadableError:
            raise
        except (MemoryError, RecursionError):
            raise
        except Exception as error:
            raise UnreadableError("damaged") from error
        if self.pages > limits.pages:
            raise UnreadableError("pages", found=self.pages, most=limits.pages)

    def __iter__(self) -> Iterator[str]:
        seen: set[int] = set()
        try:
            for page in self._reader.pages:
                text = page.extract_text()
                self.sparse += _is_sparse(page, text)
                yield text
                yield "\n".join(_field_lines(page, seen))
        except (MemoryError, RecursionError):
            raise
        except Exception as error:  # pypdf meets broken files with whatever Python makes of them
            raise UnreadableError("damaged") from error


def _add_cmaps() -> None:
    for name, codec in CMAPS.items():
        for direction in ("H", "V"):
            _cmap._predefined_cmap.setdefault(f"/{name}-{direction}", codec)
    codecs.register(_jis_codec)
    for name in JIS_CMAPS:
        _cmap._predefined_cmap.setdefault(f"/{name}", "jis_x_0208")


def _jis_codec(name: str) -> codecs.CodecInfo | None:
    if name != "jis_x_0208":
        return None

    def decode(data: Any, errors: str = "strict") -> tuple[str, int]:
        return bytes(byte | 0x80 for byte in bytes(data)).decode("euc_jp", errors), len(bytes(data))

    return codecs.CodecInfo(codecs.ascii_encode, decode, name=name)


def _is_sparse(page: PageObject, text: str) -> bool:
    chars = len("".join(text.split()))
    if chars >= SPARSE_CHARS:
        return False
    content = page.get_contents()
    data = content.get_data() if content is not None else b""
    return bool((not chars and data.strip()) or INLINE_PICTURE.search(data) or _has_picture(page))


def _has_picture(page: PageObject) -> bool:
    found = _resolved(_resolved(page.get("/Resources"), {}).get("/XObject"), {})
    return any(_resolved(one, {}).get("/Subtype") == "/Image" for one in found.values())


def _resolved(value: Any, otherwise: Any = None) -> Any:
    found = value.get_object() if isinstance(value, IndirectObject) else value
    return otherwise if found is None else found


def _field_lines(page: PageObject, seen: set[int]) -> Iterator[str]:
    """What is filled in on a page, as `name: value`, each field once; and text typed onto it."""
    for reference in _resolved(page.get("/Annots"), []):
        annotation = _resolved(reference, {})
        match annotation.get("/Subtype"):
            case "/FreeText":
                yield _words(annotation.get("/Contents"))
            case "/Widget":
                field = _field(annotation)
                if id(field) not in seen:
                    seen.add(id(field))
                    yield from _filled(field)


def _field(widget: Any) -> Any:
    """The field that a widget shows: itself, or the one above it that several widgets share."""
    for _ in range(DEEPEST_FIELD):
        if "/T" in widget or "/Parent" not in widget:
            break
        widget = _resolved(widget["/Parent"], {})
    return widget


def _inherited(field: Any, key: str) -> Any:
    for _ in range(DEEPEST_FIELD):
        if key in field:
            return _resolved(field[key])
        field = _resolved(field.get("/Parent"), {})
    return None


def _filled(field: Any) -> Iterator[str]:
    flags, kind = _inherited(field, "/Ff") or 0, _inherited(field, "/FT")
    if (kind == "/Btn" and flags & PUSH_BUTTON) or (kind == "/Tx" and flags & PASSWORD) or kind == "/Sig":
        return
    value = _inherited(field, "/V")
    chosen = value if isinstance(value, list) else [value]
    shown = ", ".join(filter(None, (_choice(field, kind, _words(one)) for one in chosen)))
    if shown:
        yield f"{_name(field)}: {shown}"


def _choice(field: Any, kind: str | None, value: str) -> str:
    """What the form shows for a value: options have a word for people beside that for programs."""
    if kind == "/Btn":
        value = value.removeprefix("/")
        if value == "Off":
            return ""
    options = _resolved(_inherited(field, "/Opt"), [])
    if kind == "/Btn" and value.isdecimal() and int(value) < len(options):
        return _words(options[int(value)])
    for option in map(_resolved, options):
        if isinstance(option, list) and len(option) == 2 and _words(option[0]) == value:
            return _words(option[1])
    return value


def _name(field: Any) -> str:
    """What the form calls the field for people, or the names of it and of the groups that it is in."""
    if label := _words(field.get("/TU")):
        return label
    names = []
    for _ in range(DEEPEST_FIELD):
        names.append(_words(field.get("/T")))
        if "/Parent" not in field:
            break
        field = _resolved(field["/Parent"], {})
    return ".".join(filter(None, reversed(names)))


def _words(value: Any) -> str:
    found = _resolved(value)
    if found is None:
        return ""
    if isinstance(found, StreamObject):
        found = found.get_data()
    if isinstance(found, bytes):
        found = found.decode("utf-16" if found.startswith(codecs.BOM_UTF16_BE) else "latin-1", "replace")
    return str(found).strip()
