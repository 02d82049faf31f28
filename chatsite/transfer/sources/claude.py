"""Read Claude's export: conversations.json, each conversation a list of messages made of blocks."""

from __future__ import annotations

from typing import Any

from chatsite.transfer.report import Reason
from chatsite.transfer.schema import Role
from chatsite.transfer.sources.markup import (
    code_block,
    file_place,
    joined,
    link,
    page_read,
    part_place,
    picture_place,
    tool_call,
)
from chatsite.transfer.sources.tree import ForeignConversation, ForeignDocument, ForeignNode
from chatsite.transfer.sources.values import as_dict, as_id, as_list, as_moment, as_text, fallback_id

ROLES: dict[str, Role] = {"human": "user", "user": "user", "assistant": "assistant", "system": "system"}

ROOT = "00000000-0000-4000-8000-000000000000"
"""The parent of a first message."""

DOCUMENTS = ("application/vnd.ant.react", "application/vnd.ant.code", "text/html", "image/svg+xml")
"""Kinds of artifacts that are code; `text/markdown` is words."""


def claude_conversation(value: dict[str, Any]) -> ForeignConversation:
    """The conversation, whatever is odd in it."""
    held = as_list(value.get("chat_messages"))
    nodes = [_node(number, message) for number, message in enumerate(held, 1)]
    reasons: set[Reason] = set()
    first = next((node.content for node in nodes if node.content), "")
    return ForeignConversation(
        id=as_id(value.get("uuid")) or fallback_id(value, first),
        nodes=nodes,
        count=len(held),
        title=as_text(value.get("name")),
        pinned=value.get("is_starred") is True,
        created_at=as_moment(value.get("created_at"), reasons),
        updated_at=as_moment(value.get("updated_at"), reasons),
        current=as_id(value.get("current_leaf_message_uuid")),
        reasons=reasons,
    )


def _node(number: int, message: Any) -> ForeignNode:
    if not isinstance(message, dict):
        return ForeignNode(str(number), omitted=Reason.UNREADABLE)
    found = ForeignNode(as_id(message.get("uuid")) or str(number))
    parent = as_id(message.get("parent_message_uuid"))
    found.parent = None if parent == ROOT else parent
    role = as_text(message.get("sender")).lower() or as_text(message.get("role")).lower()
    if role not in ROLES:
        found.omitted = Reason.ROLE if role else Reason.AUTHOR
        return found
    found.role = ROLES[role]
    found.created_at = as_moment(message.get("created_at"), found.reasons)
    words, folded = _blocks(message.get("content"), found.reasons)
    words = words or ("" if folded else as_text(message.get("text")))
    found.content = joined([words, *_files(message, found)])
    found.folded = folded
    if not (found.content.strip() or folded or found.documents):
        found.omitted = Reason.EMPTY
        if message.get("content") is None and message.get("text") is None:
            found.omitted = Reason.CONTENT
    return found


def _blocks(content: Any, reasons: set[Reason]) -> tuple[str, str]:
    """(what is said, what is folded)."""
    if isinstance(content, str):
        return content, ""
    words: list[str] = []
    folded: list[str] = []
    for block in as_list(content):
        if isinstance(block, str):
            words.append(block)
        elif isinstance(block, dict):
            _read_block(block, words, folded, reasons)
        else:
            reasons.add(Reason.PART)
    return joined(words), joined(folded)


def _read_block(block: dict[str, Any], words: list[str], folded: list[str], reasons: set[Reason]) -> None:
    kind = as_text(block.get("type"))
    if kind == "text" or (not kind and block.get("text")):
        words.append(_cited(block))
    elif kind in ("thinking", "redacted_thinking"):
        folded.append(as_text(block.get("thinking")) or _summaries(block))
    elif kind == "tool_use" and block.get("name") == "artifacts":
        words.append(_artifact(as_dict(block.get("input"))))
    elif kind == "tool_use":
        folded.append(tool_call(as_text(block.get("name")), block.get("input")))
    elif kind == "tool_result":
        folded.append(_result(block, reasons))
    elif "image" in kind:
        reasons.add(Reason.PICTURE)
        words.append(picture_place())
    elif kind not in ("token_budget", "flag"):
        reasons.add(Reason.PART)
        words.append(part_place(kind))


def _cited(block: dict[str, Any]) -> str:
    """The text, and behind it the pages that it cites."""
    pages = []
    for one in map(as_dict, as_list(block.get("citations"))):
        details = as_dict(one.get("details")) or one
        address = as_text(details.get("url")) or as_text(one.get("url"))
        if address:
            pages.append(link(as_text(one.get("title")) or as_text(details.get("title")) or address, address))
    text = as_text(block.get("text"))
    return f"{text} ({', '.join(dict.fromkeys(pages))})" if pages else text


def _summaries(block: dict[str, Any]) -> str:
    return joined(as_text(as_dict(one).get("summary")) for one in as_list(block.get("summaries")))


def _artifact(given: dict[str, Any]) -> str:
    """A document that was written or changed beside the conversation."""
    text = as_text(given.get("content")) or as_text(given.get("new_str"))
    kind = as_text(given.get("type"))
    if kind in DOCUMENTS or given.get("language"):
        text = code_block(text, as_text(given.get("language")) or kind.rpartition("/")[2])
    title = as_text(given.get("title"))
    return joined([f"**{title}**" if title and text.strip() else "", text])


def _result(block: dict[str, Any], reasons: set[Reason]) -> str:
    """What a tool answered: pages as links, everything else as it came."""
    content = block.get("content")
    parts = [content] if isinstance(content, str) else []
    for one in map(as_dict, as_list(content)):
        if address := as_text(one.get("url")):
            parts.append(page_read(as_text(one.get("title")), address))
        if text := as_text(one.get("text")):
            parts.append(text)
        elif "image" in as_text(one.get("type")):
            reasons.add(Reason.PICTURE)
            parts.append(picture_place())
    return joined(parts)


def _files(message: dict[str, Any], found: ForeignNode) -> list[str]:
    """Documents whose words are in the export; marks for the other files."""
    names = set()
    for one in map(as_dict, as_list(message.get("attachments"))):
        name, text = as_text(one.get("file_name")), as_text(one.get("extracted_content"))
        if text.strip():
            found.documents.append(ForeignDocument(name, text))
            names.add(name)
    places = []
    for one in map(as_dict, [*as_list(message.get("attachments")), *as_list(message.get("files"))]):
        name = as_text(one.get("file_name")) or as_text(one.get("file_uuid"))
        if name and name not in names:
            names.add(name)
            is_picture = as_text(one.get("file_kind")) == "image" or name.lower().endswith(PICTURES)
            found.reasons.add(Reason.PICTURE if is_picture else Reason.FILE)
            places.append((picture_place if is_picture else file_place)(name))
    return places


PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".webp")
