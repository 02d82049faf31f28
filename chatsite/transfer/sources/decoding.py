"""Find the conversations in a JSON document: in a list, inside an object, or the document itself.

The strict decoder takes a list apart without reading what is in it, so that one conversation lies in memory
at a time. What it refuses (half a character, NaN, a control character, bytes that are no UTF-8) is read by
Python's own, and marked where it stands by a lone surrogate, which whoever stores text replaces. Of a text
that is cut or broken what is whole is read (broken_json.py).
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec

from chatsite.transfer.sources.broken_json import (
    Break,
    BrokenObject,
    IsWanted,
    salvaged_objects,
    with_escapes,
)
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
    """An object that may be a conversation. `fields`: its values, not decoded where `raw` is given.

    `is_broken`: the document breaks within it, and these are the values up to there.
    """

    place: str
    fields: Mapping[str, Any]
    raw: bytes | msgspec.Raw | None = None
    is_broken: bool = False


@dataclass(frozen=True)
class UnknownEntry:
    """An entry of a list that is no conversation."""

    place: str


@dataclass(frozen=True)
class BrokenPlace:
    """Where the document ends in the middle or is no JSON, and how that is told."""

    place: str
    reason: str


Finding = FoundObject | UnknownEntry | BrokenPlace


def find_objects(document: JsonDocument, is_conversation: IsWanted) -> Iterator[Finding]:
    """Each conversation of the document, each entry beside them that is none, and where it breaks.

    Raises ImportRefusedError where it is nested too deeply.
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
            value: dict[str, Any] = _LenientText(document, bytes(found.raw)).value()
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
    def __init__(self, document: JsonDocument, is_conversation: IsWanted) -> None:
        self._document = document
        self._is_conversation = is_conversation

    def find(self, part: Any, place: str, depth: int) -> Iterator[Finding]:
        if isinstance(part, BrokenPlace):
            yield part
            return
        entries = self._entries(part)
        if isinstance(entries, Mapping):
            if self._is_conversation(entries):
                raw = part if isinstance(part, bytes | msgspec.Raw) else None
                yield FoundObject(place, entries, raw, isinstance(entries, BrokenObject))
            elif depth < DEPTH:
                for key, inner in entries.items():
                    yield from self.find(inner, f"{place}.{key}", depth + 1)
        elif isinstance(entries, Iterator) and depth < DEPTH:
            yield from self._in_list(entries, place, depth)

    def _in_list(self, entries: Iterator[Any], place: str, depth: int) -> Iterator[Finding]:
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
            part = self._lenient(bytes(part)) if found is None else found
        if isinstance(part, list | Iterator):
            return iter(part)
        return part if isinstance(part, dict) else None

    def _lenient(self, content: bytes) -> Any:
        """The value as Python's own decoder reads it; of a list, and of what breaks, an iterator."""
        text = _LenientText(self._document, content)
        if text.is_list:
            return text.entries(self._is_conversation)
        try:
            return text.value()
        except json.JSONDecodeError as error:
            return text.salvaged(0, error, self._is_conversation)


class _LenientText:
    """JSON that the strict decoder refuses. Each method raises ImportRefusedError where it is too deep."""

    def __init__(self, document: JsonDocument, content: bytes) -> None:
        self._document = document
        self._text = with_escapes(content.decode("utf-8", "surrogateescape"))
        self._decoder = json.JSONDecoder(strict=False, parse_int=_number)
        self.is_list = content.lstrip()[:1] == b"["

    def value(self) -> Any:
        """All of it. Raises json.JSONDecodeError."""
        try:
            return self._decoder.decode(self._text)
        except RecursionError as error:
            raise ImportRefusedError(self._document.at("$"), TOO_DEEP) from error

    def entries(self, is_conversation: IsWanted) -> Iterator[Any]:
        """The entries of a list one by one; from where it breaks on, what can be salvaged."""
        text, begin = self._text, _skip(self._text, 0)
        at = _skip(text, begin + 1)
        try:
            while text[at : at + 1] != "]":
                value, at = self._decoder.raw_decode(text, at)
                yield value
                begin, at = at - 1, _skip(text, at)
                if text[at : at + 1] == ",":
                    at = _skip(text, at + 1)
                elif text[at : at + 1] != "]":
                    raise json.JSONDecodeError("Expecting ',' delimiter", text, at)
            begin = at
            if (at := _skip(text, at + 1)) < len(text):
                raise json.JSONDecodeError("Extra data", text, at)
        except json.JSONDecodeError as error:
            yield from self.salvaged(begin, error, is_conversation)
        except RecursionError as error:
            raise ImportRefusedError(self._document.at("$"), TOO_DEEP) from error

    def salvaged(self, at: int, error: json.JSONDecodeError, is_conversation: IsWanted) -> Iterator[Any]:
        """What can be read from a place on, and where it breaks: there, where nothing can."""
        is_told = False
        try:
            for found in salvaged_objects(self._text, at, self._decoder, is_conversation):
                is_told = True
                yield _place_of(*found) if isinstance(found, Break) else found
        except RecursionError as deep:
            raise ImportRefusedError(self._document.at("$"), TOO_DEEP) from deep
        if not is_told:
            yield _place_of(error, "")


def _place_of(error: json.JSONDecodeError, title: str) -> BrokenPlace:
    place = f"line {error.lineno}, column {error.colno}"
    return BrokenPlace(f"{place}: {title}" if title else place, f"{error.msg}.")


def _skip(text: str, at: int) -> int:
    found = _BLANKS.match(text, at)
    return found.end() if found else at


MOST_DIGITS = 400
"""A float ends at 309; Python refuses to convert thousands."""


def _number(digits: str) -> float:
    return int(digits) if len(digits) < MOST_DIGITS else float("inf")
