"""The wire, version 1: every frame of `/ws/chat/`, as schemas that refuse unknown fields.

docs/protocol.md is generated from this file (`python -m chatsite.streaming.describe`).
"""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

import msgspec

from chatsite.attachments.chosen import AttachmentChoice
from chatsite.quotas.budgets import Budget, BudgetAlert
from inference.request import FinishReason, MaxTokens, Usage

VERSION = 1

Code = Literal[
    "empty",
    "too_long",
    "forbidden_text",
    "rate_limited",
    "quota_exceeded",
    "queue_full",
    "engine_unavailable",
    "storage_full",
    "not_found",
    "not_in_plan",
    "bad_frame",
]


class ClientFrame(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type"):
    """What a browser may send."""


class ServerFrame(msgspec.Struct, frozen=True, tag_field="type"):
    """What the server sends."""


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Sampling chosen by the person; what is left out takes the site's default."""

    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None
    max_tokens: MaxTokens | None = None
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)] | None = None


class Submit(ClientFrame, tag="submit", frozen=True):
    """Ask something. `id` is the client's own: the same id twice is the same generation.

    `parent` is the message that this one follows; null starts at the root (a sibling of the first).
    `preset` (whose system prompt it begins with) and `temporary` (erased a minute after it ends) are for
    a new conversation. `attachments` were uploaded over HTTP before; with them `content` may be empty.
    """

    id: UUID
    content: str
    conversation: UUID | None = None
    parent: UUID | None = None
    params: Params | None = None
    preset: UUID | None = None
    temporary: bool = False
    attachments: tuple[AttachmentChoice, ...] = ()


class Regenerate(ClientFrame, tag="regenerate", frozen=True):
    """A new answer beside an existing one. `message` is the answer (or the question) to answer again."""

    id: UUID
    message: UUID
    params: Params | None = None


class Cancel(ClientFrame, tag="cancel", frozen=True):
    """Stop a generation. What was made is kept and charged."""

    generation: UUID


class Follow(ClientFrame, tag="follow", frozen=True):
    """Stream a generation from after this seq.

    Sent again for a stream that is followed already, it acknowledges everything up to `after`:
    a stream with more than a window of unacknowledged text pauses until then.
    """

    generation: UUID
    after: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)] = 0


class Ping(ClientFrame, tag="ping", frozen=True):
    """Answered by pong."""


ClientFrames = Submit | Regenerate | Cancel | Follow | Ping


class Active(msgspec.Struct, frozen=True):
    """A generation of this person that is queued or running."""

    generation: UUID
    conversation: UUID
    answer: UUID


class EngineStatus(msgspec.Struct, frozen=True):
    """The engine as a person needs to know it. `emulated` engines say so wherever they are named."""

    state: Literal["starting", "ready", "restarting", "failed", "paused", "draining", "down"]
    detail: str = ""
    progress: float | None = None
    model: str = ""
    emulated: bool = False
    context_tokens: int = 0
    waiting: int = 0
    running: int = 0


class Announcement(msgspec.Struct, frozen=True):
    """What administrators tell everybody, in plain text. A browser knows by `id` what was put away."""

    id: int
    text: str
    important: bool = False


class Hello(ServerFrame, tag="hello", frozen=True):
    """First frame after connecting: the wire, the engine, what runs for this person, what is announced."""

    version: int
    engine: EngineStatus
    max_content_chars: int
    active: tuple[Active, ...] = ()
    announcement: Announcement | None = None


class Accepted(ServerFrame, tag="accepted", frozen=True):
    """The submit is committed. The sender follows the generation from 0 without asking.

    `first_message`: the conversation has outgrown the context, and the model is given it from there on.
    """

    id: UUID
    conversation: UUID
    message: UUID
    answer: UUID
    generation: UUID
    first_message: UUID | None = None


class QueuedFrame(ServerFrame, tag="queued", frozen=True):
    """Position in the queue from 1, and the estimated wait in seconds."""

    generation: UUID
    position: int
    eta_s: float | None = None


class StartedFrame(ServerFrame, tag="started", frozen=True):
    """The engine has it."""

    generation: UUID


class DeltaFrame(ServerFrame, tag="delta", frozen=True, omit_defaults=True):
    """Text that follows everything sent before; `seq` grows, and may jump where deltas were joined."""

    generation: UUID
    seq: int
    text: str
    reasoning: str = ""


class SnapshotFrame(ServerFrame, tag="snapshot", frozen=True, omit_defaults=True):
    """The whole answer up to `seq`: replaces what the client holds."""

    generation: UUID
    seq: int
    text: str
    reasoning: str = ""


class FinishedFrame(ServerFrame, tag="finished", frozen=True):
    """The last frame of a generation; the answer is recorded."""

    generation: UUID
    seq: int
    finish_reason: FinishReason
    usage: Usage
    message: str = ""


class Rejected(ServerFrame, tag="rejected", frozen=True, omit_defaults=True):
    """A submit or regenerate was refused; nothing was stored.

    A `too_long` that was counted and a `quota_exceeded` tell the tokens `needed` and the `most` there are.
    """

    id: UUID
    code: Code
    message: str
    retry_after_s: float | None = None
    needed: int | None = None
    most: int | None = None


class Changed(ServerFrame, tag="changed", frozen=True):
    """A conversation was asked in, answered, renamed, moved or deleted by another tab or device."""

    conversation: UUID


class Announced(ServerFrame, tag="announced", frozen=True):
    """Something else is announced to everybody now, or nothing any more."""

    announcement: Announcement | None


class Status(ServerFrame, tag="status", frozen=True):
    """The engine's state changed, or somebody else's load did."""

    engine: EngineStatus


class Quota(ServerFrame, tag="quota", frozen=True):
    """How the person stands with their token budgets; empty where nothing limits them.

    `notices`: budgets that are used by 80 or 100 %, told until the person puts them away.
    """

    budgets: tuple[Budget, ...] = ()
    notices: tuple[BudgetAlert, ...] = ()


class Pong(ServerFrame, tag="pong", frozen=True):
    """The answer to ping."""


class Error(ServerFrame, tag="error", frozen=True):
    """A frame could not be served. The connection stays open unless flooded."""

    code: Code
    message: str


ServerFrames = (
    Hello
    | Accepted
    | QueuedFrame
    | StartedFrame
    | DeltaFrame
    | SnapshotFrame
    | FinishedFrame
    | Rejected
    | Changed
    | Announced
    | Status
    | Quota
    | Pong
    | Error
)
