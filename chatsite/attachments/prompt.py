"""How documents stand in a prompt: each with its name in a fence that its text cannot close. Pure.

The fence is a line of tildes longer than any in the text, as in Markdown, so that whatever a document says,
it says inside. Names are JSON strings: quotes and line ends in them are spelled out. Control tokens in
either become plain text on the way into the engine, as everything that people send does
(inference/control_tokens.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

SHORTEST_FENCE = 4

_TILDES = re.compile("~+")


@dataclass(frozen=True)
class Excerpt:
    """A document as a prompt has it: all of its text, or, where `of` says how long that is, its beginning."""

    name: str
    text: str
    of: int | None = None


def with_documents(content: str, documents: Sequence[Excerpt]) -> str:
    """The message as the model reads it: the documents in their order, then what the person wrote."""
    return "\n\n".join(filter(None, [*map(fenced, documents), content]))


def fenced(document: Excerpt) -> str:
    """One document, its name above it."""
    longest = max(map(len, _TILDES.findall(document.text)), default=0)
    fence = "~" * max(SHORTEST_FENCE, longest + 1)
    part = "" if document.of is None else f" (the first {len(document.text):,} of {document.of:,} characters)"
    name = json.dumps(document.name, ensure_ascii=False)
    return f"Document {name}{part}:\n{fence}\n{document.text}\n{fence}"
