"""Markdown for what stands beside words in foreign exports: pictures, files, calls of tools, links."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from django.utils.translation import gettext as _

from chatsite.names import single_line

NAME_CHARS = 200

_FENCE = re.compile(r"`{3,}")
_BRACKETS = re.compile(r"([\\\[\]])")
_SAFE = "%/:?#@!$&*+,;=~'"


def picture_place(name: str = "") -> str:
    """Stands where a picture was."""
    return _place(_("Picture"), name)


def recording_place(name: str = "") -> str:
    """Stands where a recording was of which there are no words."""
    return _place(_("Recording"), name)


def file_place(name: str = "") -> str:
    """Stands where a file was attached."""
    return _place(_("File"), name)


def part_place(name: str = "") -> str:
    """Stands where something was that cannot be read."""
    return _place(_("Part"), name)


def _place(kind: str, name: str) -> str:
    name = single_line(name)[:NAME_CHARS]
    return f"[{kind}: {name}]" if name else f"[{kind}]"


def link(title: str, address: str) -> str:
    """A link; the title alone where the address is none of the web."""
    words = _BRACKETS.sub(r"\\\1", single_line(title))[:NAME_CHARS]
    if not address.lower().startswith(("http://", "https://")):
        return words
    address = quote(address.encode("utf-8", "replace"), safe=_SAFE)
    return f"[{words or address}]({address})"


def code_block(text: str, language: str = "") -> str:
    """A block of code that holds the text, whatever fences are in it; empty for a text without words."""
    if not text.strip():
        return ""
    fence = "`" * max(3, 1 + max((len(found) for found in _FENCE.findall(text)), default=0))
    language = language if language.isalnum() and language != "unknown" else ""
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def tool_call(name: str, given: Any, result: Any = None) -> str:
    """A call of a tool: its name, what it was given, and what came back. Plain text, like all that folds."""
    lines = [f"{single_line(name)}:" if name.strip() else "", _plain(given).strip("\n")]
    return joined(["\n".join(line for line in lines if line.strip()), _plain(result).strip("\n")])


def page_read(title: str, address: str, text: str = "") -> str:
    """A page that a tool read, as plain text."""
    return joined([" — ".join(dict.fromkeys(filter(str.strip, (single_line(title), address)))), text])


def joined(parts: Iterable[str]) -> str:
    """Paragraphs of those that hold words."""
    return "\n\n".join(part for part in parts if part.strip())


def _plain(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    try:
        return json.dumps(value, ensure_ascii=False, indent=1)
    except RecursionError:
        return "…"
