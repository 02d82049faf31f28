"""Read LibreChat's export: a conversation as a tree of messages, or as a list with the id of each parent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from chatsite.transfer.report import Reason
from chatsite.transfer.sources.markup import file_place, joined, part_place, picture_place, tool_call
from chatsite.transfer.sources.tree import ForeignConversation, ForeignDocument, ForeignNode
from chatsite.transfer.sources.values import as_dict, as_id, as_list, as_moment, as_text, fallback_id

ROOT = "00000000-0000-0000-0000-000000000000"
"""The parent of a first message."""

_THINKING = re.compile(r"\A\s*:::thinking\n(.*?)(?:\n:::[ \t]*(?:\n|\Z)|\Z)", re.S)


def librechat_conversation(value: dict[str, Any]) -> ForeignConversation:
    """The conversation, whatever is odd in it."""
    nodes = list(_nodes(value.get("messages")))
    reasons: set[Reason] = set()
    options = as_dict(value.get("options"))
    first = next((node.content for node in nodes if node.content), "")
    return ForeignConversation(
        id=as_id(value.get("conversationId")) or fallback_id(value, first),
        nodes=nodes,
        count=_count(value.get("messages")),
        title=as_text(value.get("title")),
        system=as_text(options.get("promptPrefix")) or as_text(options.get("system")),
        archived=value.get("isArchived") is True,
        created_at=as_moment(value.get("createdAt"), reasons),
        updated_at=as_moment(value.get("updatedAt"), reasons),
        reasons=reasons,
    )


def _count(held: Any) -> int:
    """How many entries there are, at whatever depth."""
    found, stack = 0, [held]
    while stack:
        entries = as_list(stack.pop())
        found += len(entries)
        stack += [one["children"] for one in entries if isinstance(one, dict) and "children" in one]
    return found


def _nodes(held: Any) -> Iterator[ForeignNode]:
    """Parents before children; where one stands in the tree counts for more than the parent it names."""
    stack: list[tuple[Any, str | None, bool]] = [(one, None, False) for one in reversed(as_list(held))]
    number = 0
    while stack:
        message, above, nested = stack.pop()
        number += 1
        node = _node(number, message)
        if nested:
            node.parent = above
        yield node
        below = as_list(as_dict(message).get("children"))
        stack += [(one, node.key, True) for one in reversed(below)]


def _node(number: int, message: Any) -> ForeignNode:
    if not isinstance(message, dict):
        return ForeignNode(str(number), omitted=Reason.UNREADABLE)
    found = ForeignNode(as_id(message.get("messageId")) or str(number))
    parent = as_id(message.get("parentMessageId"))
    found.parent = None if parent == ROOT else parent
    by_person = message.get("isCreatedByUser")
    if not isinstance(by_person, bool):
        sender = as_text(message.get("sender"))
        if not sender:
            found.omitted = Reason.AUTHOR
            return found
        by_person = sender.lower() == "user"
    found.role = "user" if by_person else "assistant"
    found.created_at = as_moment(message.get("createdAt"), found.reasons)
    _read_words(found, message)
    if not (found.content.strip() or found.folded or found.documents):
        found.omitted = Reason.EMPTY
        if message.get("text") is None and message.get("content") is None:
            found.omitted = Reason.CONTENT
    return found


def _read_words(found: ForeignNode, message: dict[str, Any]) -> None:
    words: list[str] = []
    folded: list[str] = []
    for part in as_list(message.get("content")):
        if isinstance(part, str):
            words.append(part)
        elif isinstance(part, dict):
            _read_part(part, words, folded, found.reasons)
        else:
            found.reasons.add(Reason.PART)
    text = joined(words) or as_text(message.get("text")) or as_text(message.get("content"))
    if found.role == "assistant" and (thought := _THINKING.match(text)):
        folded.append(thought[1].strip())
        text = text[thought.end() :].lstrip("\n")
    if message.get("error") is True:
        found.reasons.add(Reason.ERROR)
    found.content = joined([text, *_files(message, found)])
    found.folded = joined(folded)


def _read_part(part: dict[str, Any], words: list[str], folded: list[str], reasons: set[Reason]) -> None:
    kind = as_text(part.get("type"))
    inner = part.get(kind)
    if kind in ("think", "thinking", "reasoning"):
        folded.append(as_text(inner) or as_text(part.get("text")))
    elif kind == "text" or (not kind and part.get("text")):
        text = part.get("text")
        words.append(as_text(text) or as_text(as_dict(text).get("value")))
    elif kind == "tool_call":
        call = as_dict(as_dict(inner).get("function")) or as_dict(inner)
        folded.append(tool_call(as_text(call.get("name")), call.get("args") or call.get("arguments"),
                                call.get("output")))  # fmt: skip
    elif kind == "error":
        reasons.add(Reason.ERROR)
        words.append(as_text(inner) or as_text(part.get("text")))
    elif "image" in kind:
        reasons.add(Reason.PICTURE)
        words.append(picture_place(as_text(as_dict(inner).get("filename"))))
    else:
        reasons.add(Reason.PART)
        words.append(part_place(kind))


def _files(message: dict[str, Any], found: ForeignNode) -> Iterator[str]:
    for one in map(as_dict, [*as_list(message.get("files")), *as_list(message.get("attachments"))]):
        name, text = as_text(one.get("filename")), as_text(one.get("text"))
        if as_text(one.get("type")).startswith("image/"):
            found.reasons.add(Reason.PICTURE)
            yield picture_place(name)
        elif text.strip():
            found.documents.append(ForeignDocument(name, text))
        elif name:
            found.reasons.add(Reason.FILE)
            yield file_place(name)
