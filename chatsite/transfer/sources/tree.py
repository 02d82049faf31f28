"""What every foreign export becomes first: a conversation of nodes, however odd; and from it our record.

Nodes that are left out pass their children on to what they follow. Nodes that are folded (thoughts, calls of
tools) become the reasoning of the answer that follows them, or an answer of their own where none does. Every
node is accounted for in the report, once.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec
from django.utils import timezone

from chatsite.conversations.models import title_from
from chatsite.names import single_line, without_refused
from chatsite.transfer.report import ImportReport, Reason
from chatsite.transfer.schema import (
    MAX_CONTENT_CHARS,
    AttachedRecord,
    ConversationRecord,
    DocumentRecord,
    MessageRecord,
    Role,
)
from chatsite.transfer.sources.markup import joined
from chatsite.transfer.validation import MAX_MESSAGES

TITLE_CHARS = 200
NAME_CHARS = 255
FOLDER_CHARS = 60

TICK = timedelta(microseconds=1)
"""Between a message and the next whose time is not known."""

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
REPLACEMENT = "\ufffd"


@dataclass
class ForeignDocument:
    """A document whose words are in the export."""

    name: str
    text: str


@dataclass
class ForeignNode:
    """A message of the source, or what stands among them. `key`: its id, unique in its conversation.

    `content` is Markdown; `folded` what is shown folded before it. Without a role it is a step on the way to
    an answer, `folded` alone. `omitted`: why it is left out; `reasons`: what in it is replaced.
    """

    key: str
    parent: str | None = None
    children: Sequence[str] = ()
    role: Role | None = None
    content: str = ""
    folded: str = ""
    created_at: datetime | None = None
    documents: list[ForeignDocument] = field(default_factory=list)
    omitted: Reason | None = None
    reasons: set[Reason] = field(default_factory=set)


@dataclass
class ForeignConversation:
    """A conversation as its source has it. `count`: how many nodes the source has; `current`: the last one
    that was shown; `reasons`: what is told of the conversation itself."""

    id: str
    nodes: list[ForeignNode]
    count: int
    title: str = ""
    system: str = ""
    folder: str = ""
    pinned: bool = False
    archived: bool = False
    created_at: datetime | None = None
    updated_at: datetime | None = None
    current: str | None = None
    reasons: set[Reason] = field(default_factory=set)


def foreign_record(found: ForeignConversation, report: ImportReport) -> ConversationRecord | None:
    """The conversation as our record; None, and told, where it holds no message."""
    reasons = found.reasons
    title = without_refused(single_line(_storable(found.title, reasons)))
    builder = _Builder(found)
    messages, documents = builder.build()
    folder = single_line(_storable(found.folder, reasons))[:FOLDER_CHARS]
    system = _bounded(found.system, reasons).strip()
    title = title or _first_words(messages)
    if len(title) > TITLE_CHARS:
        title = f"{title[: TITLE_CHARS - 1]}…"
        reasons.add(Reason.TITLE)
    if not messages:
        reasons.add(Reason.NO_MESSAGES)
    name = title or found.id
    report.add_nodes(name, found.count, ((node.key, _told(node)) for node in found.nodes))
    for reason in sorted(reasons):
        report.note(reason, name)
    if not messages:
        return None
    return ConversationRecord(
        id=found.id,
        title=title,
        pinned=found.pinned and not found.archived,
        archived=found.archived,
        folder=folder,
        system=system,
        created_at=builder.begun,
        updated_at=found.updated_at or max(one.created_at for one in messages),
        messages=messages,
        documents=documents,
    )


def _first_words(messages: list[MessageRecord]) -> str:
    """Of the first question, as a title: not what was sent along with it."""
    questions = [one.content for one in messages if one.content.strip() and one.role == "user"]
    others = [one.content for one in messages if one.content.strip()]
    return title_from(next(iter(questions or others), "").strip().partition("\n\n")[0])


def _told(node: ForeignNode) -> list[Reason]:
    return [node.omitted] if node.omitted else sorted(node.reasons)


def _storable(text: str, reasons: set[Reason]) -> str:
    """The text without what no database takes: NUL, and halves of characters."""
    clean = _UNSTORABLE.sub(REPLACEMENT, text)
    if clean != text:
        reasons.add(Reason.CHARACTER)
    return clean


def _bounded(text: str, reasons: set[Reason]) -> str:
    text = _storable(text, reasons)
    if len(text) > MAX_CONTENT_CHARS:
        reasons.add(Reason.LENGTH)
    return text[:MAX_CONTENT_CHARS]


@dataclass(frozen=True)
class _Before:
    """Where a node stands: the message that it follows, its time, and what is folded since."""

    parent: str | None
    at: datetime
    folded: tuple[str, ...] = ()
    folding: str = ""


class _Builder:
    """Walks the tree once, parents before children."""

    def __init__(self, found: ForeignConversation) -> None:
        self._nodes = _unique(found.nodes)
        self._current = found.current
        self._shown: str | None = None
        known = [node.created_at for node in found.nodes if node.created_at]
        self.begun = found.created_at or min(known, default=found.updated_at) or timezone.now()
        self._messages: dict[str, MessageRecord] = {}
        self._documents: list[DocumentRecord] = []

    def build(self) -> tuple[list[MessageRecord], list[DocumentRecord]]:
        """The messages, parents before children, and their documents."""
        children, roots = _linked(self._nodes)
        stack = [(key, _Before(None, self.begun)) for key in reversed(roots)]
        while stack:
            key, before = stack.pop()
            below = children[key]
            after = self._visit(self._nodes[key], before)
            if not below and after.folded:
                after = self._flush(after)
            if key == self._current:
                self._shown = after.folding or after.parent
            stack += [(child, after) for child in reversed(below)]
        self._show_current()
        return list(self._messages.values()), self._documents

    def _visit(self, node: ForeignNode, before: _Before) -> _Before:
        if not node.omitted and len(self._messages) >= MAX_MESSAGES:
            node.omitted = Reason.TOO_MANY
        if node.omitted or (node.role is None and not node.folded.strip()):
            return before
        if node.role is None:
            at = node.created_at or before.at + TICK
            return _Before(before.parent, at, (*before.folded, node.folded), node.key)
        if before.folded and node.role != "assistant":
            before = self._flush(before)
        at = node.created_at or before.at + TICK
        self._messages[node.key] = MessageRecord(
            id=node.key,
            parent=before.parent,
            role=node.role,
            content=_bounded(node.content, node.reasons),
            reasoning=_bounded(joined([*before.folded, node.folded]), node.reasons),
            created_at=at,
            attachments=[self._attached(node, number, at) for number in range(len(node.documents))],
        )
        return _Before(node.key, at)

    def _flush(self, before: _Before) -> _Before:
        """What was folded and no answer follows, as one whose text is not there. Once, whoever follows it."""
        if before.folding not in self._messages:
            self._messages[before.folding] = MessageRecord(
                id=before.folding,
                parent=before.parent,
                role="assistant",
                content="",
                reasoning=_bounded(joined(before.folded), self._nodes[before.folding].reasons),
                created_at=before.at,
            )
        return _Before(before.folding, before.at)

    def _attached(self, node: ForeignNode, number: int, at: datetime) -> AttachedRecord:
        document = node.documents[number]
        text = _bounded(document.text, node.reasons)
        name = without_refused(single_line(_storable(document.name, node.reasons)))[:NAME_CHARS]
        record = DocumentRecord(
            id=f"{node.key}/{number}",
            name=name or "document.txt",
            kind="text",
            size=len(text.encode()),
            text=text,
            created_at=at,
        )
        self._documents.append(record)
        return AttachedRecord(document=record.id)

    def _show_current(self) -> None:
        """The page shows the branch with the newest message: where times do not tell, let it be `current`."""
        at = self._messages.get(self._shown or "")
        if at is None:
            return
        newest = max(one.created_at for one in self._messages.values())
        known = self._nodes[at.id].created_at
        if known is None or known == newest:
            last = [one for one in self._messages.values() if one.created_at == newest]
            if last != [at]:
                self._messages[at.id] = msgspec.structs.replace(at, created_at=newest + TICK)


def _linked(nodes: dict[str, ForeignNode]) -> tuple[dict[str, list[str]], list[str]]:
    """The children of each node, in the order of the file, and the roots. Every node stands once."""
    parents = _parents(nodes)
    children: dict[str, list[str]] = {key: [] for key in nodes}
    roots = []
    for key, parent in parents.items():
        if parent is None:
            roots.append(key)
        else:
            children[parent].append(key)
    first_root = next((key for key in roots if not _is_lost(nodes[key], nodes)), None)
    for key in roots:
        if _is_lost(nodes[key], nodes) and (first_root or key != roots[0]):
            nodes[key].reasons.add(Reason.PARENT)
    for key in _heads_of_cycles(parents):
        nodes[key].reasons.add(Reason.CYCLE)
        children[parents[key] or ""].remove(key)
        roots.append(key)
    return children, roots


def _is_lost(node: ForeignNode, nodes: dict[str, ForeignNode]) -> bool:
    """Whether it follows something that is not there."""
    return node.parent is not None and node.parent not in nodes


def _parents(nodes: dict[str, ForeignNode]) -> dict[str, str | None]:
    """By each node's own word, else by its parent's. Nodes of which none says anything follow each other."""
    listed: dict[str, str] = {}
    for node in nodes.values():
        for child in node.children:
            if child in nodes and child != node.key:
                listed.setdefault(child, node.key)
    found = {key: node.parent if node.parent in nodes else listed.get(key) for key, node in nodes.items()}
    if not any(found.values()) and not any(node.parent for node in nodes.values()):
        keys = list(nodes)
        return dict(zip(keys, [None, *keys], strict=False))
    return found


def _heads_of_cycles(parents: dict[str, str | None]) -> Iterator[str]:
    """Of each circle the node that stands first in the file."""
    order = {key: number for number, key in enumerate(parents)}
    done: set[str] = set()
    for start in parents:
        path: dict[str, None] = {}
        at: str | None = start
        while at is not None and at not in done and at not in path:
            path[at] = None
            at = parents[at]
        if at is not None and at in path:
            walk = list(path)
            yield min(walk[walk.index(at) :], key=order.__getitem__)
        done.update(path)


def _unique(nodes: list[ForeignNode]) -> dict[str, ForeignNode]:
    """By key. The same node again is left out; another that has its id gets one of its own."""
    held: dict[str, ForeignNode] = {}
    times: Counter[str] = Counter()
    for node in nodes:
        if (twin := held.get(node.key)) is not None:
            first = node.key
            while node.key in held:
                times[first] += 1
                node.key = f"{first} ({times[first] + 1})"
            if _words(twin) == _words(node):
                node.omitted = node.omitted or Reason.DUPLICATE
            else:
                node.reasons.add(Reason.REPEATED_ID)
        held[node.key] = node
    return held


def _words(node: ForeignNode) -> tuple[object, ...]:
    return node.role, node.content, node.folded
