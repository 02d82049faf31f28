"""Nodes of ChatGPT's exports, ordinary and odd ones, each with what is right for it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

BEGIN = 1_700_000_000

PICTURE = {"content_type": "image_asset_pointer", "asset_pointer": "file-service://file-1"}
MARK = "\ue200cite\ue202turn0search1\ue201"
PAGE = {"type": "grouped_webpages", "matched_text": MARK,
        "items": [{"title": "A page", "url": "https://example.org/page"}]}  # fmt: skip


@dataclass
class Turn:
    """A node of a made conversation and what is right for it. `content` None: no message comes of it.

    `folded`: its words are the reasoning of the one answer that follows. `parent`: None at a root.
    """

    key: str
    parent: str | None
    role: str
    words: str
    raw: Any = None
    content: str | None = None
    reasoning: str = ""
    folded: bool = False
    outcome: str = "read"
    reason: str = ""


@dataclass
class MadeConversation:
    """A conversation as its source exports it, and its turns."""

    id: str
    title: str
    source: str
    raw: dict[str, Any]
    turns: list[Turn] = field(default_factory=list)

    def right_parent(self, turn: Turn) -> str | None:
        """The nearest turn before it of which a message comes."""
        held = {one.key: one for one in self.turns}
        at = turn.parent
        while at is not None and held[at].content is None:
            at = held[at].parent
        return at


def chatgpt_node(turn: Turn, **fields: Any) -> dict[str, Any]:
    """A node of ChatGPT's mapping; `fields` of its message instead of the ordinary ones."""
    message = {
        "id": turn.key, "author": {"role": turn.role, "metadata": {}}, "create_time": BEGIN + 0.5,
        "content": {"content_type": "text", "parts": [turn.words]}, "status": "finished_successfully",
        "recipient": "all", "weight": 1.0, "metadata": {},
    } | fields  # fmt: skip
    return {"id": turn.key, "parent": turn.parent, "children": [], "message": message}


Oddity = Callable[[Turn, random.Random], Any]
"""Makes the node of a turn, and says in the turn what is right."""


def omitted(turn: Turn, reason: str, raw: Any) -> Any:
    turn.content, turn.outcome, turn.reason = None, "omitted", reason
    return raw


def replaced(turn: Turn, reason: str, content: str, raw: Any) -> Any:
    turn.content, turn.outcome, turn.reason = content, "replaced", reason
    return raw


def read(turn: Turn, content: str, raw: Any) -> Any:
    turn.content = content
    return raw


def parts(*found: Any) -> dict[str, Any]:
    return {"content_type": "multimodal_text", "parts": list(found)}


BAD_TIMES: tuple[Any, ...] = (
    float("nan"),
    float("inf"),
    -1,
    1e300,
    10**400,
    "yesterday",
    [],
    "0001-01-01T00:00:00+14:00",
)
GOOD_TIMES: tuple[Any, ...] = (
    BEGIN, str(BEGIN), BEGIN * 1000, BEGIN * 10**6, BEGIN * 10**9, "2023-11-14T22:13:20Z",
    "2023-11-14 22:13:20", None, 0, "",
)  # fmt: skip

CHATGPT: dict[str, Oddity] = {
    "plain": lambda t, r: read(t, t.words, chatgpt_node(t)),
    "good time": lambda t, r: read(t, t.words, chatgpt_node(t, create_time=r.choice(GOOD_TIMES))),
    "bad time": lambda t, r: replaced(t, "time", t.words, chatgpt_node(t, create_time=r.choice(BAD_TIMES))),
    "no author": lambda t, r: omitted(
        t, "author", chatgpt_node(t, author=r.choice([None, {}, {"role": None}, []]))
    ),
    "unknown role": lambda t, r: omitted(t, "role", chatgpt_node(t, author={"role": "critic"})),
    "tool": lambda t, r: omitted(t, "tool", chatgpt_node(t, author={"role": "tool", "name": "bio"})),
    "no content": lambda t, r: omitted(t, "content", chatgpt_node(t, content=None)),
    "no message": lambda t, r: omitted(t, "empty", chatgpt_node(t) | {"message": None}),
    "no words": lambda t, r: omitted(t, "empty", chatgpt_node(t, content=parts(""))),
    "odd node": lambda t, r: omitted(t, "unreadable", chatgpt_node(t) | {"message": r.choice([5, "x", [1]])}),
    "hidden": lambda t, r: omitted(
        t, "hidden", chatgpt_node(t, metadata={"is_visually_hidden_from_conversation": True})
    ),
    "NUL": lambda t, r: replaced(
        t, "character", f"{t.words}�", chatgpt_node(t, content=parts(f"{t.words}\0"))
    ),
    "half a character": lambda t, r: replaced(
        t, "character", f"{t.words}�!", chatgpt_node(t, content=parts(f"{t.words}\ud83d!"))
    ),
    "picture": lambda t, r: replaced(
        t, "picture", f"[Picture]\n\n{t.words}", chatgpt_node(t, content=parts(PICTURE, t.words))
    ),
    "picture alone": lambda t, r: replaced(
        t, "picture", "[Picture]", chatgpt_node(t, content=parts(PICTURE))
    ),
    "voice": lambda t, r: replaced(
        t, "recording", t.words,
        chatgpt_node(t, content=parts(
            {"content_type": "audio_transcription", "text": t.words},
            {"content_type": "audio_asset_pointer", "asset_pointer": "sediment://x"},
        )),
    ),
    "odd part": lambda t, r: replaced(
        t, "part", t.words, chatgpt_node(t, content=parts(t.words, r.choice([None, 5, []])))
    ),
    "unknown part": lambda t, r: replaced(
        t, "part", f"{t.words}\n\n[Part: hologram]",
        chatgpt_node(t, content=parts(t.words, {"content_type": "hologram"})),
    ),
    "file": lambda t, r: replaced(
        t, "file", f"{t.words}\n\n[File: plan.pdf]",
        chatgpt_node(t, metadata={"attachments": [{"id": "f", "name": "plan.pdf", "mimeType": "text/pdf"}]}),
    ),
}  # fmt: skip

ANSWERS: dict[str, Oddity] = {
    "citation": lambda t, r: read(
        t, f"{t.words} ([A page](https://example.org/page))",
        chatgpt_node(t, content=parts(f"{t.words}{MARK}"), metadata={"content_references": [PAGE]}),
    ),
    "lost citation": lambda t, r: replaced(
        t, "citation", t.words, chatgpt_node(t, content=parts(f"{t.words}{MARK}"))
    ),
    "canvas": lambda t, r: read(
        t, f"**Poem**\n\n{t.words}",
        chatgpt_node(t, recipient="canmore.create_textdoc", content={
            "content_type": "code", "language": "json",
            "text": json.dumps({"name": "Poem", "type": "document", "content": t.words}),
        }),
    ),
    "code": lambda t, r: read(
        t, f"```python\n{t.words}\n```",
        chatgpt_node(t, content={"content_type": "code", "language": "python", "text": t.words}),
    ),
}  # fmt: skip
"""Of assistants alone."""

FOLDED: tuple[Callable[[Turn], Any], ...] = (
    lambda t: chatgpt_node(t, content={"content_type": "thoughts", "thoughts": [{"content": t.words}]}),
    lambda t: chatgpt_node(t, content={"content_type": "reasoning_recap", "content": t.words}),
    lambda t: chatgpt_node(t, author={"role": "tool"}, content={
        "content_type": "execution_output", "text": t.words,
    }),
)  # fmt: skip
"""Steps on the way to an answer."""


def chatgpt_export(nodes: Iterable[tuple[str, Any]], **fields: Any) -> dict[str, Any]:
    """A conversation of ChatGPT's with these nodes."""
    return {
        "id": "c",
        "title": "C",
        "create_time": BEGIN,
        "update_time": BEGIN,
        "mapping": dict(nodes),
    } | fields
