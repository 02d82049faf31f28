"""The archive of a DOCX: its parts, found by their relationships as in Open Packaging (ECMA-376, part 2)."""

from __future__ import annotations

import posixpath
import zipfile
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from lxml import etree

from chatsite.attachments.reading.limits import ReadLimits
from chatsite.attachments.reading.unreadable import UnreadableError

MAX_PARTS = 5_000
"""Files in one document; a picture is one."""

MAX_RATIO = 200
"""A document's XML shrinks to a tenth or a twentieth; beyond this it was made to burst."""

MEGABYTE = 1024 * 1024

BURST_FROM_BYTES = 16 * MEGABYTE
"""Below this no ratio hurts."""

PREFIXES = {
    "http://schemas.openxmlformats.org/wordprocessingml/2006/main": "w",
    "http://purl.oclc.org/ooxml/wordprocessingml/main": "w",
    "http://schemas.openxmlformats.org/officeDocument/2006/math": "m",
    "http://purl.oclc.org/ooxml/officeDocument/math": "m",
    "http://schemas.openxmlformats.org/drawingml/2006/main": "a",
    "http://purl.oclc.org/ooxml/drawingml/main": "a",
    "http://schemas.openxmlformats.org/drawingml/2006/diagram": "dgm",
    "http://purl.oclc.org/ooxml/drawingml/diagram": "dgm",
    "http://schemas.openxmlformats.org/drawingml/2006/chart": "c",
    "http://purl.oclc.org/ooxml/drawingml/chart": "c",
    "http://schemas.openxmlformats.org/markup-compatibility/2006": "mc",
}
"""The usual prefixes of namespaces with text, in the transitional and the strict form of the format."""


class DocxPackage:
    """A document's parts. Raises UnreadableError where it is no archive, or was made to burst."""

    def __init__(self, path: Path, limits: ReadLimits) -> None:
        try:
            self._archive = zipfile.ZipFile(path)
        # zipfile tells of an archive of a later version by NotImplementedError, of odd offsets by the others.
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise UnreadableError("damaged") from error
        self._check_size(path, limits)
        # Names are compared without case; some programs write Windows' separators.
        self._names = {one.filename.replace("\\", "/").lower(): one for one in self._archive.infolist()}
        self.main = next(
            (target for kind, target in self._targets("").values() if kind == "officeDocument"), ""
        )

    def _check_size(self, path: Path, limits: ReadLimits) -> None:
        parts = self._archive.infolist()
        unpacked, packed = sum(part.file_size for part in parts), max(1, path.stat().st_size)
        most = limits.memory_mb // 2 * MEGABYTE
        if unpacked > BURST_FROM_BYTES and unpacked / packed > MAX_RATIO:
            most = min(most, packed * MAX_RATIO)
        if unpacked > most or len(parts) > MAX_PARTS:
            raise UnreadableError("burst", found=unpacked // MEGABYTE, most=most // MEGABYTE)

    def part(self, name: str) -> etree._Element | None:
        """The root of an XML part; None where there is no such part. Raises UnreadableError."""
        found = self._names.get(name.lower())
        if found is None:
            return None
        # The format forbids a DTD, so that no entity is ever resolved.
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
        try:
            root = etree.fromstring(self._archive.read(found), parser)
        except (etree.XMLSyntaxError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise UnreadableError("damaged") from error
        except RuntimeError as error:  # encrypted
            raise UnreadableError("damaged") from error
        if root.getroottree().docinfo.doctype:
            raise UnreadableError("damaged")
        return root

    def related(self, part: str, kind: str) -> etree._Element | None:
        """The root of the first part that `part` relates to in this way, such as `styles`."""
        return next((self.part(target) for one, target in self._targets(part).values() if one == kind), None)

    def target(self, part: str, id: str) -> str:
        """The name of the part that `part` calls `id`; empty where there is none."""
        return self._targets(part).get(id, ("", ""))[1]

    @cache  # noqa: B019 - one package in the life of a process
    def _targets(self, part: str) -> dict[str, tuple[str, str]]:
        """A part's relationships (of "": the package's own), by id: their kind and the name of the target."""
        folder, name = posixpath.split(part)
        root = self.part(posixpath.join(folder, "_rels", f"{name}.rels"))
        found = {}
        for one in root if root is not None else ():
            if isinstance(one.tag, str) and one.get("TargetMode") != "External":
                kind = (one.get("Type") or "").rsplit("/", 1)[-1]
                target = posixpath.join("/", folder, (one.get("Target") or "").replace("\\", "/"))
                found[one.get("Id") or ""] = (kind, posixpath.normpath(target).lstrip("/"))
        return found


@cache
def _prefixed(tag: str) -> str:
    space, _, local = tag.removeprefix("{").partition("}")
    return f"{PREFIXES.get(space, '')}:{local}"


def name_of(element: etree._Element) -> str:
    """An element's name with the usual prefix: `w:p`; in other namespaces `:name`; of comments nothing."""
    return _prefixed(element.tag) if isinstance(element.tag, str) else ""


def children(element: etree._Element | None, *names: str) -> Iterator[etree._Element]:
    """The child elements with one of these names."""
    return (child for child in (element if element is not None else ()) if name_of(child) in names)


def child(element: etree._Element | None, *path: str) -> etree._Element | None:
    """The first child, and its first child, and so on, by their names; None where one is missing."""
    for name in path:
        element = next(children(element, name), None)
    return element


def attribute(element: etree._Element | None, name: str = "val") -> str | None:
    """An attribute by its name without a namespace."""
    found = element.attrib.items() if element is not None else ()
    return next((str(value) for key, value in found if str(key).rpartition("}")[2] == name), None)


def whole_number(element: etree._Element | None, name: str = "val", otherwise: int = 0) -> int:
    """An attribute that is a whole number."""
    try:
        return int(attribute(element, name) or "")
    except ValueError:
        return otherwise
