"""The lossless form of a conversation, version 1: what an export holds and an import takes.

A field that is added later has a default; a change that older readers would misread is a new version.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

import msgspec
from msgspec import Meta

FORMAT: Literal["chatsite.conversation"] = "chatsite.conversation"
VERSION: Literal[1] = 1

MAX_CONTENT_CHARS = 4_000_000
"""Of one message: far above what any model reads or writes, far below what hurts."""

Id = Annotated[str, Meta(min_length=1, max_length=200)]
Moment = Annotated[datetime, Meta(tz=True)]
Text = Annotated[str, Meta(max_length=MAX_CONTENT_CHARS)]
Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Role = Literal["system", "raw", "user", "assistant"]
Ended = Literal["finished", "cancelled", "failed", "timed_out", "interrupted"]


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What all records share: unknown fields are refused, values never change."""


class FeedbackRecord(Record, frozen=True, kw_only=True):
    """Thumbs on an answer."""

    value: Literal[-1, 1]
    comment: Text = ""
    updated_at: Moment


class GenerationRecord(Record, frozen=True, kw_only=True):
    """How an answer was made. `status` of one that was still being made is `interrupted`."""

    status: Ended
    finish_reason: Annotated[str, Meta(max_length=11)] = ""
    message: Text = ""
    sampling: dict[str, Any] = {}
    usage: dict[str, Any] = {}
    new_chars: Count = 0
    prompt_tokens: Count = 0
    max_tokens: Count = 0
    completion_tokens: Count = 0
    batch: bool = False
    created_at: Moment
    finished_at: Moment | None = None


class DocumentRecord(Record, frozen=True, kw_only=True):
    """A document that was sent: what was read out of it. Its file, of `size` bytes, lies beside in a zip."""

    id: Id
    name: Annotated[str, Meta(min_length=1, max_length=255)]
    kind: Literal["", "text", "pdf", "docx", "html"] = ""
    size: Annotated[int, Meta(ge=0, le=2**40)]
    pages: Count | None = None
    tokens: Count = 0
    text: Text = ""
    created_at: Moment


class AttachedRecord(Record, frozen=True, kw_only=True):
    """A document's place in a message. `given`: so many characters of it went to the model; None: all."""

    document: Id
    given: Count | None = None


class MessageRecord(Record, frozen=True, kw_only=True):
    """One turn. `parent` is the id of the message that it follows, None at a root."""

    id: Id
    parent: Id | None = None
    role: Role
    content: Text
    reasoning: Text = ""
    created_at: Moment
    feedback: FeedbackRecord | None = None
    generation: GenerationRecord | None = None
    attachments: list[AttachedRecord] = []


class PresetRecord(Record, frozen=True, kw_only=True):
    """The preset with which the conversation began."""

    name: Annotated[str, Meta(min_length=1, max_length=60)]
    system: Text = ""
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: Count | None = None


class ConversationRecord(Record, frozen=True, kw_only=True):
    """One conversation: parents stand before their children, siblings in the order of their times."""

    format: Literal["chatsite.conversation"] = FORMAT
    version: Literal[1] = VERSION
    id: Id
    title: Annotated[str, Meta(max_length=200)]
    pinned: bool = False
    archived: bool = False
    folder: Annotated[str, Meta(max_length=60)] = ""
    system: Text = ""
    preset: PresetRecord | None = None
    keep_days: Annotated[int, Meta(ge=1, le=36_500)] | None = None
    created_at: Moment
    updated_at: Moment
    messages: list[MessageRecord]
    documents: list[DocumentRecord] = []

    def branch(self, leaf: str) -> Self:
        """The same with only the messages from the root to this one. Raises KeyError."""
        held = {message.id: message for message in self.messages}
        path, at = [], held[leaf]
        while True:
            path.append(at)
            if at.parent is None:
                break
            at = held[at.parent]
        named = {one.document for message in path for one in message.attachments}
        documents = [one for one in self.documents if one.id in named]
        return msgspec.structs.replace(self, messages=path[::-1], documents=documents)


def encode(record: ConversationRecord) -> bytes:
    """As JSON that a person can read too."""
    return msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n"


def newest_leaf(messages: list[MessageRecord]) -> str | None:
    """Where the branch ends that was written last."""
    return max(messages, key=lambda one: one.created_at).id if messages else None
