"""What the page's API answers, as types: mypy holds the views to them, and types/api.d.ts is made from them.

A column that Django knows as text alone says in its annotation what it may hold.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, NotRequired, TypedDict
from uuid import UUID

from inference.request import FinishReason, Usage

GenerationStatus = Literal["queued", "running", "finished", "failed", "cancelled", "timed_out", "interrupted"]


class ConversationItem(TypedDict):
    """A conversation as the list shows it."""

    id: str
    title: str
    updated_at: datetime
    pinned: bool
    archived: bool
    folder: str
    temporary: bool
    preset: str | None


class ConversationPage(TypedDict):
    """A page of the list; the first one names the folders too."""

    conversations: list[ConversationItem]
    next: str | None
    folders: NotRequired[list[str]]


class GenerationItem(TypedDict):
    """How an answer is or was made."""

    id: UUID
    status: GenerationStatus
    seq: int
    finish_reason: FinishReason | None
    message: str
    usage: Annotated[dict[str, Any], Usage]
    first_message: UUID | None


class FeedbackItem(TypedDict):
    """What a person thinks of an answer."""

    value: Literal[-1, 1]
    comment: str


class DocumentItem(TypedDict):
    """An uploaded document; `reason` and `figures` say why it is unreadable.

    `encoding` is what a text was taken for where that is a guess or somebody's choice; `sparse_pages` of the
    pages hold almost no text.
    """

    id: str
    name: str
    kind: str
    size: int
    status: Annotated[str, Literal["uploading", "ready", "unreadable"]]
    reason: str | None
    figures: dict[str, int]
    encoding: str | None
    pages: int | None
    sparse_pages: int
    chars: int
    tokens: int


class BegunUpload(DocumentItem):
    """A place for a file, and the most bytes of one piece."""

    piece_bytes: int


class AttachedItem(DocumentItem):
    """A document as it stands in a message; `given` is how many of its characters the model got."""

    given: int | None


class MessageItem(TypedDict):
    """A message with the generation that makes or made it."""

    id: UUID
    parent: UUID | None
    role: Literal["user", "assistant"]
    content: str
    reasoning: str
    created_at: datetime
    generation: GenerationItem | None
    feedback: FeedbackItem | None
    attachments: list[AttachedItem]


class OpenedConversation(ConversationItem):
    """A conversation with its whole tree, oldest message first; `leaf` is its newest message."""

    leaf: UUID | None
    batch: bool
    messages: list[MessageItem]


class SearchHit(TypedDict):
    """A hit as the sidebar shows it; `title` and `context` are plain and hit parts in turn."""

    conversation: str
    message: str | None
    role: str
    at: datetime
    title: list[str]
    context: list[str]


class SearchPage(TypedDict):
    """Hits, and where the next ones begin."""

    hits: list[SearchHit]
    next: str | None


class PromptItem(TypedDict):
    """A prompt of the library; `by` names the owner of one that is shared."""

    id: str
    name: str
    content: str
    shared: bool
    mine: bool
    by: str


class PresetItem(TypedDict):
    """A system prompt with sampling; null takes the site's default."""

    id: str
    name: str
    system: str
    temperature: float | None
    top_p: float | None
    max_tokens: int | None


class ShareItem(TypedDict):
    """A link to a branch."""

    id: str
    path: str
    public: bool
    created_at: datetime
    conversation: str
    title: str


class KeyItem(TypedDict):
    """An API key as the list shows it: never its text."""

    id: str
    name: str
    prefix: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    token_budget: int | None
    tokens_used: int


class ImportPlaceItem(TypedDict):
    """Where something was replaced or left out: a conversation's title and the id of a node, or neither."""

    conversation: str
    node: str


class ImportReasonItem(TypedDict):
    """Why something was replaced or left out, how often, and the first places of it."""

    reason: str
    outcome: Literal["replaced", "omitted"]
    words: str
    count: int
    places: list[ImportPlaceItem]


class ImportReportItem(TypedDict):
    """What an import found: its messages here, its nodes by what became of them, and why."""

    new_messages: int
    known_messages: int
    nodes: int
    read: int
    replaced: int
    omitted: int
    reasons: list[ImportReasonItem]


class JobItem(TypedDict):
    """An export or import under way or over."""

    id: str
    kind: Annotated[str, Literal["export", "import"]]
    status: Annotated[str, Literal["receiving", "queued", "running", "finished", "failed", "cancelled"]]
    format: str | None
    conversation: str | None
    done: int
    total: int
    result: dict[str, Any] | None
    report: ImportReportItem | None
    message: str
    file: str | None
    size: int
    created_at: datetime
    ends_at: datetime


class BatchRow(TypedDict):
    """A document of a batch: `status` is its own state, or that of its generation once it has one."""

    position: int
    document: DocumentItem
    status: str
    code: str | None
    message: str
    question: str | None
    answer: str | None
    generation: str | None


class BatchItem(TypedDict):
    """One instruction for many documents; `waits_for` is the refusal that holds it up."""

    id: str
    instruction: str
    waits_for: str | None
    items: list[BatchRow]
