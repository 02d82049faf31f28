"""How much of documents fits where the person said that their beginnings will do. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from chatsite.attachments.prompt import Excerpt

MAX_ROUNDS = 8
"""Each comes closer by a few tokens; three are usual."""

CAUTION = 0.998
"""Tokens are not spread evenly over a text: aim a little below."""


def cut(
    documents: Sequence[Excerpt],
    beginnings: Sequence[bool],
    limit: int,
    count: Callable[[Sequence[Excerpt]], int],
) -> list[Excerpt]:
    """The documents, those that may be cut shortened by one share until all together fit in `limit` tokens.

    `count` gives the tokens of the whole message with these documents. Where even nothing of them fits, they
    come back empty: the caller refuses the message for what it has besides.
    """
    found = list(documents)
    whole = count(found)
    if whole <= limit or not any(beginnings):
        return found
    bare = count(_share(documents, beginnings, 0))
    share = 1.0
    tokens = whole
    for _ in range(MAX_ROUNDS):
        share *= CAUTION * max(0.0, (limit - bare) / max(1, tokens - bare))
        found = _share(documents, beginnings, share)
        tokens = count(found)
        if tokens <= limit:
            return found
    return _share(documents, beginnings, 0)


def _share(documents: Sequence[Excerpt], beginnings: Sequence[bool], share: float) -> list[Excerpt]:
    return [
        replace(document, text=document.text[: int(len(document.text) * share)], of=len(document.text))
        if beginning
        else document
        for document, beginning in zip(documents, beginnings, strict=True)
    ]
