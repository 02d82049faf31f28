"""Salvage the objects of a JSON text that ends in the middle, or is broken in a place.

What is whole is read as it is, also several texts behind each other (JSON lines). An object in which the text
breaks is closed behind the last value that is whole, and what follows the break is looked through again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

IsWanted = Callable[[Mapping[str, Any]], bool]

MOST_READ = 8
"""A text is read so many times at most: each break costs a reading of what is before it in its object."""

BREAK_COST = 1_000
"""Characters that a break costs at least."""

LEVELS = 4
"""So deep in an object what is wanted is looked for."""

_BEGIN = re.compile(r"(?:\A|[\[\],}])[ \t\r\n]*(?=\{)")
"""Before an object that is an entry of a list, or a text of its own."""

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[{}\[\],]', re.S)

_BAD_ESCAPE = re.compile(r'(?<!\\)(?:\\\\)*+\\(?!["\\/bfnrt]|u[0-9a-fA-F]{4})')
_ESCAPE = re.compile(r'(\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))|\\')


class Break(NamedTuple):
    """Where the text breaks, and how the object is called in which it does, where that is known."""

    error: json.JSONDecodeError
    title: str


class BrokenObject(dict[str, Any]):
    """An object in which the text breaks: its values up to there."""


def salvaged_objects(
    text: str, at: int, decoder: json.JSONDecoder, is_wanted: IsWanted
) -> Iterator[Mapping[str, Any] | Break]:
    """The objects from a place on that are wanted or hold such ones, whole or broken, and where it breaks."""
    left = MOST_READ * len(text)
    is_told = False
    while left > 0 and (found := _BEGIN.search(text, at)):
        begin = found.end()
        try:
            value, end = decoder.raw_decode(text, begin)
            at = end - 1
        except json.JSONDecodeError as error:
            value = _closed(text, begin, error.pos, decoder)
            # What looks like an object in the middle of a broken text may be anything.
            if not is_told or _holds(value, is_wanted, LEVELS):
                yield Break(error, _title_of(value))
                is_told = True
            at = max(error.pos, begin + 1)
            left -= at - begin + BREAK_COST
        if _holds(value, is_wanted, LEVELS):
            yield value


def with_escapes(text: str) -> str:
    """The text with two backslashes for every one that begins no escape of JSON."""
    if not _BAD_ESCAPE.search(text):
        return text
    return _ESCAPE.sub(lambda found: found[1] or r"\\", text)


def _closed(text: str, begin: int, end: int, decoder: json.JSONDecoder) -> Any:
    """The object that begins here, closed behind its last whole value before `end`; else None."""
    open_ones: list[str] = []
    whole = begin
    for found in _TOKEN.finditer(text, begin, end):
        mark = found[0]
        if mark in "{[":
            open_ones.append("}" if mark == "{" else "]")
        elif mark in "}]":
            open_ones.pop()
        elif mark != ",":
            continue
        whole = found.start() if mark == "," else found.end()
    try:
        value = decoder.decode(text[begin:whole] + "".join(reversed(open_ones)))
    except json.JSONDecodeError:
        return None
    return _marked(value, len(open_ones))


def _marked(value: Any, depth: int) -> Any:
    """The value with a BrokenObject for each object that had to be closed, the last ones down to a depth."""
    whole: Any = BrokenObject(value) if isinstance(value, dict) else value
    at: Any = whole
    for _ in range(depth - 1):
        last = next(reversed(at)) if isinstance(at, dict) else len(at) - 1
        if isinstance(at[last], dict):
            at[last] = BrokenObject(at[last])
        at = at[last]
    return whole


def _title_of(value: Any) -> str:
    names = (value.get(key) for key in ("title", "name")) if isinstance(value, dict) else ()
    return next((name for name in names if isinstance(name, str) and name), "")


def _holds(value: Any, is_wanted: IsWanted, levels: int) -> bool:
    if isinstance(value, dict):
        if is_wanted(value):
            return True
        value = list(value.values())
    return isinstance(value, list) and levels > 0 and any(_holds(one, is_wanted, levels - 1) for one in value)
