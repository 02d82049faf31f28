"""Open WebUI's export: a list of chats, each with a history of messages by id. Times are seconds since 1970,
in places milliseconds."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec

from chatsite.archive.checking import ImportRefusedError
from chatsite.archive.schema import ConversationRecord, MessageRecord, Role
from chatsite.archive.sources.chatgpt import moment

MILLISECONDS_FROM = 1e11
"""As seconds this is the year 5138."""

ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system"}


class Message(msgspec.Struct):
    role: str
    content: str | list[Any] | None = None
    parentId: str | None = None
    timestamp: float | None = None


class History(msgspec.Struct):
    messages: dict[str, Message] = {}


class Chat(msgspec.Struct):
    history: History
    title: str | None = None
    system: str | None = None
    timestamp: float | None = None


class Entry(msgspec.Struct):
    chat: Chat
    id: str | None = None
    title: str | None = None
    created_at: float | None = None
    updated_at: float | None = None
    pinned: bool | None = None
    archived: bool | None = None


def record_of(entry: Entry, place: str) -> ConversationRecord:
    """The chat as a record. Raises ImportRefusedError with the place."""
    if not entry.id:
        raise ImportRefusedError(place, "the chat has no id.")
    begun = _moment(entry.created_at or entry.chat.timestamp, None, f"{place}.created_at")
    messages = _messages(entry.chat.history.messages, begun, place)
    last = max((one.created_at for one in messages), default=begun)
    title = " ".join((entry.title or entry.chat.title or "").split())
    return ConversationRecord(
        id=entry.id,
        title=title[:200],
        pinned=bool(entry.pinned) and not entry.archived,
        archived=bool(entry.archived),
        system=entry.chat.system or "",
        created_at=begun,
        updated_at=_moment(entry.updated_at, last, f"{place}.updated_at"),
        messages=messages,
    )


def _messages(held: dict[str, Message], begun: datetime, place: str) -> list[MessageRecord]:
    below: dict[str | None, list[str]] = {}
    for key, message in held.items():
        parent = message.parentId if message.parentId in held else None
        below.setdefault(parent, []).append(key)
    found: list[MessageRecord] = []
    stack: list[tuple[str, str | None, datetime]] = [(key, None, begun) for key in below.get(None, [])[::-1]]
    while stack:
        key, parent, before = stack.pop()
        at = f"{place}.chat.history.messages.{key}"
        message = held[key]
        if message.role not in ROLES:
            raise ImportRefusedError(f"{at}.role", f"{message.role!r} is not one of {', '.join(ROLES)}.")
        after = before + timedelta(microseconds=1)
        time = _moment(message.timestamp, after, f"{at}.timestamp")
        found.append(
            MessageRecord(
                id=key,
                parent=parent,
                role=ROLES[message.role],
                content=_words(message.content),
                created_at=time,
            )
        )
        stack += [(child, key, time) for child in below.get(key, [])[::-1]]
    if len(found) < len(held):
        raise ImportRefusedError(
            f"{place}.chat.history.messages", "some messages follow each other in a circle."
        )
    return found


def _words(content: str | list[Any] | None) -> str:
    if not isinstance(content, list):
        return content or ""
    parts = [part.get("text") for part in content if isinstance(part, dict)]
    return "\n\n".join(part for part in parts if isinstance(part, str))


def _moment(seconds: float | None, missing: datetime | None, place: str) -> datetime:
    if seconds is not None and abs(seconds) > MILLISECONDS_FROM:
        seconds /= 1000
    return moment(seconds, missing, place)
