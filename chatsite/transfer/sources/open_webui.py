"""Read Open WebUI's export: chats, each with a history of messages by id, or a plain list of messages."""

from __future__ import annotations

from typing import Any

from chatsite.transfer.report import Reason
from chatsite.transfer.schema import Role
from chatsite.transfer.sources.markup import (
    file_place,
    joined,
    link,
    part_place,
    picture_place,
    tool_call,
)
from chatsite.transfer.sources.open_webui_markup import split_answer
from chatsite.transfer.sources.tree import ForeignConversation, ForeignDocument, ForeignNode
from chatsite.transfer.sources.values import as_dict, as_id, as_list, as_moment, as_text, fallback_id

ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system"}


def open_webui_conversation(value: dict[str, Any]) -> ForeignConversation:
    """The chat, whatever is odd in it: an entry of an export, or what such an entry holds."""
    chat = as_dict(value.get("chat")) or value
    history = as_dict(chat.get("history"))
    held = _messages(history.get("messages")) or _messages(chat.get("messages"))
    nodes = [_node(key, message) for key, message in held]
    reasons: set[Reason] = set()
    created_at = as_moment(value.get("created_at"), reasons) or as_moment(chat.get("timestamp"), reasons)
    first = next((node.content for node in nodes if node.content), "")
    return ForeignConversation(
        id=as_id(value.get("id")) or as_id(chat.get("id")) or fallback_id(value, first),
        nodes=nodes,
        count=len(held),
        title=as_text(value.get("title")) or as_text(chat.get("title")),
        system=as_text(chat.get("system")) or as_text(as_dict(chat.get("params")).get("system")),
        pinned=value.get("pinned") is True,
        archived=value.get("archived") is True,
        created_at=created_at,
        updated_at=as_moment(value.get("updated_at"), reasons),
        current=as_id(history.get("currentId")),
        reasons=reasons,
    )


def _messages(held: Any) -> list[tuple[str, Any]]:
    """Each message with its id; in a list without ids its number is it."""
    if isinstance(held, dict):
        return [(as_id(key) or "-", message) for key, message in held.items()]
    return [
        (as_id(as_dict(message).get("id")) or str(number), message)
        for number, message in enumerate(as_list(held), 1)
    ]


def _node(key: str, message: Any) -> ForeignNode:
    found = ForeignNode(key)
    if not isinstance(message, dict):
        found.omitted = Reason.UNREADABLE
        return found
    found.parent = as_id(message.get("parentId"))
    found.children = [id for id in map(as_id, as_list(message.get("childrenIds"))) if id]
    role = as_text(message.get("role")).lower()
    if role not in ROLES:
        found.omitted = Reason.TOOL if role == "tool" else Reason.ROLE if role else Reason.AUTHOR
        return found
    found.role = ROLES[role]
    found.created_at = as_moment(message.get("timestamp"), found.reasons)
    text = _words(message.get("content"), found.reasons)
    if role == "assistant":
        found.folded, text = split_answer(text)
        found.folded = joined([as_text(message.get("reasoning_content")), found.folded, _code(message)])
    found.content = joined([text, *_beside(message, found)])
    if not (found.content or found.folded or found.documents):
        found.omitted = Reason.CONTENT if message.get("content") is None else Reason.EMPTY
    return found


def _words(content: Any, reasons: set[Reason]) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else [content] if content is not None else []
    found = []
    for part in parts:
        kind = as_text(as_dict(part).get("type"))
        if isinstance(part, str):
            found.append(part)
        elif text := as_text(as_dict(part).get("text")):
            found.append(text)
        elif "image" in kind:
            reasons.add(Reason.PICTURE)
            found.append(picture_place())
        else:
            reasons.add(Reason.PART)
            found.append(part_place(kind) if isinstance(part, dict) else "")
    return joined(found)


def _code(message: dict[str, Any]) -> str:
    """Code that was run for the answer, and what it printed."""
    calls = []
    for one in map(as_dict, as_list(message.get("code_executions"))):
        result = as_dict(one.get("result"))
        printed = as_text(result.get("error")) or as_text(result.get("output"))
        calls.append(tool_call(as_text(one.get("name")), as_text(one.get("code")), printed))
    return joined(calls)


def _beside(message: dict[str, Any], found: ForeignNode) -> list[str]:
    """What belongs to a message and is not in its text: an error, answers merged into one, sources, files."""
    parts = [_error(message, found.reasons)]
    if merged := as_text(as_dict(message.get("merged")).get("content")):
        parts.append(f"---\n\n{merged}")
    parts.append(_sources(message))
    return parts + [_file(file, found) for file in map(as_dict, as_list(message.get("files")))]


def _error(message: dict[str, Any], reasons: set[Reason]) -> str:
    error = message.get("error")
    words = as_text(as_dict(error).get("content")) or as_text(error)
    if words:
        reasons.add(Reason.ERROR)
    return words


def _sources(message: dict[str, Any]) -> str:
    """The pages that an answer cites by number, as a list with these numbers."""
    pages: dict[str, str] = {}
    for one in map(as_dict, as_list(message.get("sources")) or as_list(message.get("citations"))):
        source = as_dict(one.get("source"))
        for about in map(as_dict, as_list(one.get("metadata")) or [{}]):
            address = (
                as_text(about.get("source")) or as_text(source.get("url")) or as_text(source.get("name"))
            )
            name = as_text(about.get("name")) or as_text(source.get("name")) or address
            if address or name:
                pages.setdefault(address or name, link(name, address))
    return "\n".join(f"{number}. {page}" for number, page in enumerate(pages.values(), 1))


def _file(file: dict[str, Any], found: ForeignNode) -> str:
    """A mark for a picture; a document where its words are there; the name of every other file."""
    inner = as_dict(file.get("file"))
    name = as_text(file.get("name")) or as_text(inner.get("filename")) or as_text(inner.get("name"))
    if file.get("type") == "image" or as_text(file.get("content_type")).startswith("image/"):
        found.reasons.add(Reason.PICTURE)
        return picture_place(name)
    text = as_text(as_dict(inner.get("data")).get("content")) or as_text(file.get("content"))
    if text.strip():
        found.documents.append(ForeignDocument(name, text))
        return ""
    found.reasons.add(Reason.FILE)
    return file_place(name)
