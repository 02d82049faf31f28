"""ChatGPT's export: conversations.json, each conversation a mapping of nodes with parents.

Nodes without text (tools, pictures, hidden ones) are left out, and what follows them follows the last one
that stays. Times are seconds since 1970, and missing in places.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from chatsite.archive.checking import ImportRefusedError
from chatsite.archive.schema import ConversationRecord, MessageRecord, Role

SPOKEN = {"text", "multimodal_text", "code"}
"""Kinds of content that a person sees as somebody's words."""


class Author(msgspec.Struct):
    role: str = ""


class Content(msgspec.Struct):
    content_type: str = ""
    parts: list[Any] | None = None
    text: str | None = None


class Message(msgspec.Struct):
    author: Author
    content: Content
    create_time: float | None = None
    metadata: dict[str, Any] | None = None
    recipient: str | None = None


class Node(msgspec.Struct):
    id: str
    message: Message | None = None
    parent: str | None = None


class Conversation(msgspec.Struct):
    mapping: dict[str, Node]
    id: str | None = None
    conversation_id: str | None = None
    title: str | None = None
    create_time: float | None = None
    update_time: float | None = None
    is_archived: bool | None = None


def record_of(conversation: Conversation, place: str) -> ConversationRecord:
    """The conversation as a record. Raises ImportRefusedError with the place."""
    id = conversation.id or conversation.conversation_id
    if not id:
        raise ImportRefusedError(place, "the conversation has no id.")
    begun = moment(conversation.create_time, None, f"{place}.create_time")
    messages = _messages(conversation.mapping, begun, place)
    last = max((one.created_at for one in messages), default=begun)
    title = " ".join((conversation.title or "").split())
    return ConversationRecord(
        id=id,
        title=title[:200],
        archived=bool(conversation.is_archived),
        created_at=begun,
        updated_at=moment(conversation.update_time, last, f"{place}.update_time"),
        messages=messages,
    )


def _messages(mapping: dict[str, Node], begun: datetime, place: str) -> list[MessageRecord]:
    """Depth first from the roots: parents before children, each after its parent in time."""
    below: dict[str | None, list[str]] = {}
    for key, node in mapping.items():
        parent = node.parent if node.parent in mapping else None
        below.setdefault(parent, []).append(key)
    found: list[MessageRecord] = []
    stack: list[tuple[str, str | None, datetime]] = [(key, None, begun) for key in below.get(None, [])[::-1]]
    met = 0
    while stack:
        key, parent, before = stack.pop()
        met += 1
        node = mapping[key]
        if node.message and (text := words(node.message)):
            after = before + timedelta(microseconds=1)
            at = moment(node.message.create_time, after, f"{place}.mapping.{key}.message.create_time")
            role: Role = "user" if node.message.author.role == "user" else "assistant"
            found.append(MessageRecord(id=key, parent=parent, role=role, content=text, created_at=at))
            parent, before = key, at
        stack += [(child, parent, before) for child in below.get(key, [])[::-1]]
    if met < len(mapping):
        raise ImportRefusedError(f"{place}.mapping", "some messages follow each other in a circle.")
    return found


def words(message: Message) -> str:
    """What was said; empty for what nobody saw as words."""
    if message.author.role not in ("user", "assistant") or message.recipient not in (None, "all"):
        return ""
    if (message.metadata or {}).get("is_visually_hidden_from_conversation"):
        return ""
    content = message.content
    if content.content_type not in SPOKEN:
        return ""
    parts = [part for part in content.parts or [] if isinstance(part, str)]
    text = "\n\n".join(part for part in parts if part.strip()) or content.text or ""
    return text if text.strip() else ""


def moment(seconds: float | None, missing: datetime | None, place: str) -> datetime:
    """Seconds since 1970 as a time; `missing`, else the epoch, where there are none."""
    if seconds is None:
        return missing or datetime(1970, 1, 1, tzinfo=UTC)
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise ImportRefusedError(place, f"{seconds} is no time.") from error
