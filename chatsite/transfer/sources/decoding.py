"""Find the conversations in a JSON document: in a list, inside an object, or the document itself.

The strict decoder takes a list apart without reading what is in it, so that one conversation lies in memory
at a time. What it refuses (half a character, NaN, a control character, bytes that are no UTF-8) is read by
Python's own, and marked where it stands by a lone surrogate, which whoever stores text replaces.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec

from chatsite.transfer.sources.opening import JsonDocument
from chatsite.transfer.validation import TOO_DEEP, ImportRefusedError

DEPTH = 4
"""So deep in objects and lists conversations are looked for."""

NESTING = 6_000
"""Levels of JSON that are read: a conversation of 3,000 turns in which each holds the next. It takes 2 MB of
the stack, of which a process has 8."""

_BLANKS = re.compile(r"[ \t\r\n]*")


@dataclass(frozen=True)
class FoundObject:
    """An object that may be a conversation. `fields`: its values, not decoded where `raw` is given."""

    place: str
    fields: Mapping[str, Any]
    raw: bytes | msgspec.Raw | None = None


@dataclass(frozen=True)
class UnknownEntry:
    """An entry of a list that is no conversation."""

    place: str


def find_objects(
    document: JsonDocument, is_conversation: Callable[[Mapping[str, Any]], bool]
) -> Iterator[FoundObject | UnknownEntry]:
    """Each conversation of the document, and each entry beside them that is none.

    Raises ImportRefusedError with the line where the document is no JSON.
    """
    with deep_json():
        yield from _Finder(document, is_conversation).find(document.content, "$", 0)


def decode_values(document: JsonDocument, found: FoundObject) -> dict[str, Any]:
    """The whole object as plain values."""
    if found.raw is None:
        return dict(found.fields)
    with deep_json():
        try:
            return msgspec.json.decode(found.raw, type=dict[str, Any])
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            value: dict[str, Any] = next(_lenient(document, bytes(found.raw)))
            return value


def shallow(value: Any) -> Any:
    """An object or a list with its values as they are, not decoded; None of what is not to be decoded."""
    if not isinstance(value, bytes | msgspec.Raw):
        return value
    head = bytes(memoryview(value)[:64]).lstrip()[:1]
    type = dict[str, msgspec.Raw] if head == b"{" else list[msgspec.Raw] if head == b"[" else Any
    try:
        return msgspec.json.decode(value, type=type)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


@contextmanager
def deep_json() -> Iterator[None]:
    """Let decoders follow NESTING levels. Deeper ones end in RecursionError, not in a crash."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, NESTING))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


class _Finder:
    def __init__(self, document: JsonDocument, is_conversation: Callable[[Mapping[str, Any]], bool]) -> None:
        self._document = document
        self._is_conversation = is_conversation

    def find(self, part: Any, place: str, depth: int) -> Iterator[FoundObject | UnknownEntry]:
        entries = self._entries(part)
        if isinstance(entries, Mapping):
            if self._is_conversation(entries):
                yield FoundObject(place, entries, part if isinstance(part, bytes | msgspec.Raw) else None)
            elif depth < DEPTH:
                for key, inner in entries.items():
                    yield from self.find(inner, f"{place}.{key}", depth + 1)
        elif isinstance(entries, Iterator) and depth < DEPTH:
            yield from self._in_list(entries, place, depth)

    def _in_list(
        self, entries: Iterator[Any], place: str, depth: int
    ) -> Iterator[FoundObject | UnknownEntry]:
        """What is no conversation is an unknown entry where one of the others is."""
        some, unknown = False, []
        for number, entry in enumerate(entries):
            none = True
            for found in self.find(entry, f"{place}[{number}]", depth + 1):
                none = False
                yield found
            some = some or not none
            if none:
                unknown.append(f"{place}[{number}]")
        if some or depth == 0:
            yield from map(UnknownEntry, unknown)

    def _entries(self, part: Any) -> Mapping[str, Any] | Iterator[Any] | None:
        """What an object or a list holds, not decoded where that can be; None of everything else."""
        if isinstance(part, bytes | msgspec.Raw):
            found = shallow(part)
            if found is None and bytes(part).lstrip()[:1] == b"[":
                return _lenient(self._document, bytes(part), listed=True)
            part = found if found is not None else next(_lenient(self._document, bytes(part)))
        if isinstance(part, list):
            return iter(part)
        return part if isinstance(part, dict) else None


def _lenient(document: JsonDocument, content: bytes, *, listed: bool = False) -> Iterator[Any]:
    """The value as Python's own decoder reads it; `listed`: the entries of a list, one by one.

    Raises ImportRefusedError.
    """
    text = content.decode("utf-8", "surrogateescape")
    decoder = json.JSONDecoder(strict=False, parse_int=_number)
    try:
        at = _skip(text, 0)
        if listed:
            at = _skip(text, at + 1)
            while text[at : at + 1] != "]":
                value, at = decoder.raw_decode(text, at)
                yield value
                at = _skip(text, at)
                if text[at : at + 1] == ",":
                    at = _skip(text, at + 1)
                elif text[at : at + 1] != "]":
                    raise json.JSONDecodeError("Expecting ',' delimiter", text, at)
            at += 1
        else:
            value, at = decoder.raw_decode(text, at)
            yield value
        if _skip(text, at) < len(text):
            raise json.JSONDecodeError("Extra data", text, at)
    except json.JSONDecodeError as error:
        raise ImportRefusedError(document.at(f"line {error.lineno}"), f"{error.msg}.") from error
    except RecursionError as error:
        raise ImportRefusedError(document.at("$"), TOO_DEEP) from error


def _skip(text: str, at: int) -> int:
    found = _BLANKS.match(text, at)
    return found.end() if found else at


MOST_DIGITS = 400
"""A float ends at 309; Python refuses to convert thousands."""


def _number(digits: str) -> float:
    return int(digits) if len(digits) < MOST_DIGITS else float("inf")
