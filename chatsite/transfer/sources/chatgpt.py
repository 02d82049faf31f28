"""Read ChatGPT's export: conversations.json, each conversation a mapping of nodes with parents.

What a person saw as words is the text. Thoughts, calls of tools and what code printed are folded before the
answer that follows; documents of the canvas are words; pictures, recordings and files leave a mark.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from chatsite.transfer.report import Reason
from chatsite.transfer.schema import Role
from chatsite.transfer.sources.citations import link_citations
from chatsite.transfer.sources.markup import (
    code_block,
    file_place,
    joined,
    page_read,
    part_place,
    picture_place,
    recording_place,
    tool_call,
)
from chatsite.transfer.sources.tree import ForeignConversation, ForeignNode
from chatsite.transfer.sources.values import as_dict, as_id, as_list, as_moment, as_text, fallback_id

ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system"}

CONTEXTS = ("user_editable_context", "model_editable_context")
"""What a person has told ChatGPT of themselves and their wishes, before each conversation."""

CANVAS = "canmore."


def chatgpt_conversation(value: dict[str, Any]) -> ForeignConversation:
    """The conversation, whatever is odd in it."""
    mapping = as_dict(value.get("mapping"))
    reasons: set[Reason] = set()
    systems: list[str] = []
    nodes = [_node(key, node, systems) for key, node in mapping.items()]
    created_at = as_moment(value.get("create_time"), reasons)
    first = next((node.content for node in nodes if node.content), "")
    return ForeignConversation(
        id=as_id(value.get("id")) or as_id(value.get("conversation_id")) or fallback_id(value, first),
        nodes=nodes,
        count=len(mapping),
        title=as_text(value.get("title")),
        system="\n\n".join(dict.fromkeys(systems)),
        pinned=value.get("is_starred") is True,
        archived=value.get("is_archived") is True,
        created_at=created_at,
        updated_at=as_moment(value.get("update_time"), reasons),
        current=as_id(value.get("current_node")),
        reasons=reasons,
    )


def _node(key: str, value: Any, systems: list[str]) -> ForeignNode:
    """A node of the mapping; what it says to the model before the conversation goes to `systems`."""
    found = ForeignNode(as_id(key) or "-")
    if not isinstance(value, dict):
        found.omitted = Reason.UNREADABLE
        return found
    found.parent = as_id(value.get("parent"))
    found.children = [id for id in map(as_id, as_list(value.get("children"))) if id]
    message = value.get("message")
    if message is None:
        found.omitted = Reason.EMPTY
    elif isinstance(message, dict):
        _read_message(found, message, systems)
    else:
        found.omitted = Reason.UNREADABLE
    return found


def _read_message(found: ForeignNode, message: dict[str, Any], systems: list[str]) -> None:
    author = message.get("author")
    name = as_text(as_dict(author).get("role") if isinstance(author, dict) else author).lower()
    if not name:
        found.omitted = Reason.AUTHOR
        return
    if message.get("content") is None:
        found.omitted = Reason.CONTENT
        return
    found.created_at = _time(message, found.reasons)
    reader = _MessageReader(message, found.reasons, cites=name != "user")
    if reader.kind in CONTEXTS and (words := reader.context()):
        systems.append(words)
        return
    if reader.hidden or (name == "system" and message.get("weight") == 0):
        found.omitted = Reason.HIDDEN if reader.words() else Reason.EMPTY
        return
    if name == "tool":
        _read_tool(found, reader)
    elif name not in ROLES:
        found.omitted = Reason.ROLE
    else:
        _read_turn(found, ROLES[name], reader)
    if found.omitted is None and not (found.content.strip() or found.folded.strip()):
        found.omitted = Reason.EMPTY


def _time(message: dict[str, Any], reasons: set[Reason]) -> datetime | None:
    return as_moment(message.get("create_time"), reasons) or as_moment(message.get("update_time"), set())


def _read_turn(found: ForeignNode, role: Role, reader: _MessageReader) -> None:
    if role == "assistant" and (folded := reader.folded()):
        found.folded = folded
    elif role == "assistant" and reader.recipient.startswith(CANVAS):
        found.role, found.content = role, reader.canvas()
    elif role == "assistant" and reader.recipient not in ("", "all"):
        found.folded = tool_call(reader.recipient, reader.words())
    else:
        found.role, found.content = role, reader.words()


def _read_tool(found: ForeignNode, reader: _MessageReader) -> None:
    """Of what tools answer, pictures are the answer itself, and what code printed belongs to its call."""
    if folded := reader.folded():
        found.folded = folded
    elif reader.has_pictures:
        found.role, found.content = "assistant", reader.words()
    else:
        found.omitted = Reason.TOOL


class _MessageReader:
    """The words of one message, by its kind of content; what is replaced is added to `reasons`.

    `cites`: it may hold marks for sources; what people write is theirs, private-use characters too.
    """

    def __init__(self, message: dict[str, Any], reasons: set[Reason], *, cites: bool) -> None:
        content = message.get("content")
        self._content = content if isinstance(content, dict) else {"parts": as_list(content) or [content]}
        self._reasons = reasons
        self._cites = cites
        self._metadata = as_dict(message.get("metadata"))
        self.kind = as_text(self._content.get("content_type"))
        self.recipient = as_text(message.get("recipient"))
        self.language = as_text(self._content.get("language"))
        self.hidden = self._metadata.get("is_visually_hidden_from_conversation") is True

    @property
    def has_pictures(self) -> bool:
        return any(_is_picture(as_dict(part)) for part in as_list(self._content.get("parts")))

    def words(self) -> str:
        """What is said, with marks for what is no text."""
        if self.kind == "code" and self.recipient in ("", "all"):
            return code_block(self._plain(), self.language)
        parts = [self._plain()] if self.kind == "code" else list(self._parts())
        if not any(parts):
            parts = [as_text(self._content.get(name)) for name in ("text", "result", "content")]
        text = joined(parts)
        if self._cites:
            text = link_citations(text, self._metadata, self._reasons)
        return joined([text, *self._attachments()])

    def folded(self) -> str:
        """Thoughts, and what tools printed or read; empty for every other kind."""
        content = self._content
        if self.kind == "thoughts":
            thoughts = [as_dict(one) for one in as_list(content.get("thoughts"))]
            return joined([_thought(one) for one in thoughts])
        if self.kind == "reasoning_recap":
            return as_text(content.get("content"))
        if self.kind in ("execution_output", "tether_browsing_code"):
            if as_list(as_dict(self._metadata.get("aggregate_result")).get("messages")) and (
                '"image"' in json.dumps(self._metadata["aggregate_result"])
            ):
                self._reasons.add(Reason.PICTURE)
            return as_text(content.get("text"))
        if self.kind in ("tether_quote", "sonic_webpage"):
            name = as_text(content.get("title")) or as_text(content.get("domain"))
            return page_read(name, as_text(content.get("url")), as_text(content.get("text")))
        if self.kind == "system_error":
            return joined([as_text(content.get("name")), as_text(content.get("text"))])
        return ""

    def context(self) -> str:
        """What a person has told of themselves, and what was remembered of them."""
        names = ("user_profile", "user_instructions", "model_set_context")
        return joined([as_text(self._content.get(name)) for name in names])

    def canvas(self) -> str:
        """The words of a document that was written, changed or commented beside the conversation."""
        try:
            value = as_dict(json.loads(self._plain(), strict=False))
        except (ValueError, RecursionError):
            value = {}
        kind, text = as_text(value.get("type")), as_text(value.get("content"))
        if kind.startswith("code/"):
            text = code_block(text, kind.removeprefix("code/"))
        changes = [as_text(as_dict(one).get("replacement")) for one in as_list(value.get("updates"))]
        comments = [as_text(as_dict(one).get("comment")) for one in as_list(value.get("comments"))]
        words = joined([text, *changes, *comments])
        name = as_text(value.get("name"))
        return joined([f"**{name}**" if name and words else "", words]) or code_block(self._plain(), "json")

    def _plain(self) -> str:
        parts = [part for part in as_list(self._content.get("parts")) if isinstance(part, str)]
        return as_text(self._content.get("text")) or "\n\n".join(parts)

    def _parts(self) -> Iterator[str]:
        parts = as_list(self._content.get("parts"))
        kinds = [as_text(as_dict(part).get("content_type")) for part in parts]
        for part, kind in zip(parts, kinds, strict=True):
            if isinstance(part, str):
                yield part
            elif not isinstance(part, dict):
                self._reasons.add(Reason.PART)
            elif _is_picture(part):
                self._reasons.add(Reason.PICTURE)
                yield picture_place(self._name_of(part))
            elif kind == "audio_transcription" or (not kind and isinstance(part.get("text"), str)):
                yield as_text(part.get("text"))
            elif "audio" in kind or "video" in kind:
                self._reasons.add(Reason.RECORDING)
                yield "" if "audio_transcription" in kinds else recording_place()
            elif text := as_text(part.get("text")):
                yield text
            else:
                self._reasons.add(Reason.PART)
                yield part_place(kind)

    def _name_of(self, picture: dict[str, Any]) -> str:
        """As it was uploaded, else what it was drawn from."""
        address = as_text(picture.get("asset_pointer")).rpartition("/")[2]
        for one in self._files():
            if as_text(one.get("id")) and as_text(one.get("id")) == address:
                return as_text(one.get("name"))
        return as_text(as_dict(as_dict(picture.get("metadata")).get("dalle")).get("prompt"))

    def _attachments(self) -> Iterator[str]:
        """Files that were uploaded and are not among the parts."""
        addresses = {
            as_text(as_dict(part).get("asset_pointer")).rpartition("/")[2]
            for part in as_list(self._content.get("parts"))
        }
        for one in self._files():
            if as_text(one.get("id")) in addresses:
                continue
            kind = as_text(one.get("mimeType")) or as_text(one.get("mime_type"))
            is_picture = kind.startswith("image/")
            self._reasons.add(Reason.PICTURE if is_picture else Reason.FILE)
            yield (picture_place if is_picture else file_place)(as_text(one.get("name")))

    def _files(self) -> list[dict[str, Any]]:
        return [as_dict(one) for one in as_list(self._metadata.get("attachments")) if isinstance(one, dict)]


def _is_picture(part: dict[str, Any]) -> bool:
    kind = as_text(part.get("content_type"))
    return "image" in kind or (not kind and "asset_pointer" in part)


def _thought(one: dict[str, Any]) -> str:
    summary = as_text(one.get("summary")).strip()
    text = as_text(one.get("content")) or joined([as_text(part) for part in as_list(one.get("chunks"))])
    return joined([summary, text])
