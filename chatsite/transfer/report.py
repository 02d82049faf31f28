"""ImportReport: what an import read, replaced and left out, counted and named (conversation, node, reason).

A node is a message of the source, or what stands among its messages. Each is read, replaced (it came, but not
all of it as it was) or omitted: read + replaced + omitted = nodes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from chatsite.csv_text import EXCEL_MARK, csv_rows

PLACES_SHOWN = 20
"""Of one reason on the page: enough to see the kind; the whole list is a file."""

TITLE_SHOWN = 80

NOT_A_NODE = ""
"""Instead of a node's id: the reason is the conversation's itself, or the file's."""


class NodeOutcome(StrEnum):
    """What became of a node."""

    READ = "read"
    REPLACED = "replaced"
    OMITTED = "omitted"


class Reason(StrEnum):
    """Why something is not as it was."""

    PICTURE = "picture"
    RECORDING = "recording"
    FILE = "file"
    CITATION = "citation"
    PART = "part"
    CHARACTER = "character"
    TIME = "time"
    PARENT = "parent"
    CYCLE = "cycle"
    REPEATED_ID = "repeated_id"
    LENGTH = "length"
    TITLE = "title"
    ERROR = "error"
    AUTHOR = "author"
    ROLE = "role"
    TOOL = "tool"
    CONTENT = "content"
    UNREADABLE = "unreadable"
    DUPLICATE = "duplicate"
    TOO_MANY = "too_many"
    NO_MESSAGES = "no_messages"
    UNKNOWN = "unknown"
    BROKEN = "broken"
    CUT = "cut"
    BESIDE = "beside"
    ENCODING = "encoding"
    HIDDEN = "hidden"
    EMPTY = "empty"


REASON_WORDS: dict[Reason, tuple[NodeOutcome, str]] = {
    Reason.AUTHOR: (NodeOutcome.OMITTED, gettext_noop("It does not say who wrote it.")),
    Reason.ROLE: (NodeOutcome.OMITTED, gettext_noop("It is neither a question nor an answer.")),
    Reason.TOOL: (NodeOutcome.OMITTED, gettext_noop("What a tool answered to the model.")),
    Reason.CONTENT: (NodeOutcome.OMITTED, gettext_noop("It has no content.")),
    Reason.UNREADABLE: (NodeOutcome.OMITTED, gettext_noop("It cannot be read.")),
    Reason.DUPLICATE: (NodeOutcome.OMITTED, gettext_noop("It stands twice in the file; once is kept.")),
    Reason.TOO_MANY: (NodeOutcome.OMITTED, gettext_noop("The conversation is longer than is taken.")),
    Reason.NO_MESSAGES: (NodeOutcome.OMITTED, gettext_noop("The conversation holds no message.")),
    Reason.UNKNOWN: (NodeOutcome.OMITTED, gettext_noop("This entry of the file is no conversation.")),
    Reason.BROKEN: (
        NodeOutcome.OMITTED,
        gettext_noop("The file ends in the middle or is damaged here; what was here is missing."),
    ),
    Reason.CUT: (
        NodeOutcome.REPLACED,
        gettext_noop("The file breaks within this conversation; its beginning is kept."),
    ),
    Reason.ENCODING: (
        NodeOutcome.REPLACED,
        gettext_noop("The file is not UTF-8; in which encoding it is written is a guess."),
    ),
    Reason.BESIDE: (NodeOutcome.OMITTED, gettext_noop("A file beside the conversations; it is not read.")),
    Reason.HIDDEN: (NodeOutcome.OMITTED, gettext_noop("Where it comes from it was hidden.")),
    Reason.EMPTY: (NodeOutcome.OMITTED, gettext_noop("Nothing is in it: it only holds others together.")),
    Reason.PICTURE: (NodeOutcome.REPLACED, gettext_noop("A picture: its place is marked.")),
    Reason.RECORDING: (NodeOutcome.REPLACED, gettext_noop("Sound or video: what was said is kept.")),
    Reason.FILE: (NodeOutcome.REPLACED, gettext_noop("A file: its name is kept.")),
    Reason.CITATION: (NodeOutcome.REPLACED, gettext_noop("A mark for a source that is not in the file.")),
    Reason.PART: (NodeOutcome.REPLACED, gettext_noop("A part of it cannot be read; the rest is kept.")),
    Reason.CHARACTER: (
        NodeOutcome.REPLACED,
        gettext_noop("A character that cannot be stored is shown as �."),
    ),
    Reason.TIME: (NodeOutcome.REPLACED, gettext_noop("Its time cannot be read and is guessed.")),
    Reason.PARENT: (
        NodeOutcome.REPLACED,
        gettext_noop("What it followed is missing; it stands at the beginning."),
    ),
    Reason.CYCLE: (
        NodeOutcome.REPLACED,
        gettext_noop("It followed itself in a circle; it stands at the beginning."),
    ),
    Reason.REPEATED_ID: (NodeOutcome.REPLACED, gettext_noop("Its id was another one's too; both are kept.")),
    Reason.LENGTH: (NodeOutcome.REPLACED, gettext_noop("It is longer than is taken; its beginning is kept.")),
    Reason.TITLE: (NodeOutcome.REPLACED, gettext_noop("The title was too long and is shortened.")),
    Reason.ERROR: (NodeOutcome.REPLACED, gettext_noop("It had failed; the error is kept as its text.")),
}
"""What each reason does to a node, and how it is told. In the order in which a person is told them."""


class ReportPlace(NamedTuple):
    """Where something was replaced or left out."""

    conversation: str
    node: str


class ImportReport:
    """Counts and names; every name goes into the file of `details` (CSV) as well, where one is wanted."""

    def __init__(self, details: Path | None = None) -> None:
        self.conversations: Counter[str] = Counter(new=0, grown=0, known=0)
        self.messages: Counter[str] = Counter(new=0, known=0)
        self.nodes = 0
        self.outcomes: Counter[NodeOutcome] = Counter()
        self.reasons: Counter[Reason] = Counter()
        self._places: dict[Reason, list[ReportPlace]] = {}
        self._details = details

    def add_nodes(self, conversation: str, count: int, found: Iterable[tuple[str, Iterable[Reason]]]) -> None:
        """A conversation's nodes, `count` as its source has them; of each its id and what is to be told."""
        told, rows = 0, []
        for node, reasons in found:
            told += 1
            outcome = NodeOutcome.READ
            for reason in reasons:
                outcome = max(outcome, REASON_WORDS[reason][0], key=_WEIGHT.__getitem__)
                rows.append(self._count(reason, conversation, node))
            self.outcomes[outcome] += 1
        self.nodes += count
        self._write(rows)
        assert told == count, f"{conversation}: {told} of {count} nodes are accounted for"

    def note(self, reason: Reason, conversation: str, place: str = NOT_A_NODE) -> None:
        """Something beside the nodes: a title, an entry that is no conversation."""
        self._write([self._count(reason, conversation, place)])

    def add_stored(self, result: str, new: int, known: int) -> None:
        """What became of a conversation: `new`, `grown` or `known`; and of its messages."""
        self.conversations[result] += 1
        self.messages.update(new=new, known=known)

    def by_reason(self) -> dict[Reason, tuple[int, list[ReportPlace]]]:
        """How often, and the first places of it, in the order in which people are told."""
        return {
            reason: (self.reasons[reason], self._places[reason])
            for reason in REASON_WORDS
            if reason in self.reasons
        }

    def as_result(self) -> dict[str, Any]:
        """What is kept of it with the job: plain values, bounded."""
        found = {
            "messages": dict(self.messages),
            "nodes": self.nodes,
            "outcomes": {one: self.outcomes[one] for one in NodeOutcome},
            "reasons": [
                {"reason": reason, "outcome": REASON_WORDS[reason][0], "count": count, "places": places}
                for reason, (count, places) in self.by_reason().items()
            ],
        }
        return dict(self.conversations) | {"report": found}

    def _count(self, reason: Reason, conversation: str, node: str) -> tuple[str, str, str, str]:
        self.reasons[reason] += 1
        places = self._places.setdefault(reason, [])
        if len(places) < PLACES_SHOWN:
            places.append(ReportPlace(conversation[:TITLE_SHOWN], node[:TITLE_SHOWN]))
        outcome, words = REASON_WORDS[reason]
        return conversation, node, outcome_words(outcome), _(words)

    def _write(self, rows: list[tuple[str, str, str, str]]) -> None:
        if not self._details or not rows:
            return
        if is_new := not self._details.exists():
            rows = [(_("Conversation"), _("Message"), _("What became of it"), _("Why")), *rows]
        with self._details.open("a", encoding="utf-8") as file:
            file.write((EXCEL_MARK if is_new else "") + csv_rows(rows))


_WEIGHT = {NodeOutcome.READ: 0, NodeOutcome.REPLACED: 1, NodeOutcome.OMITTED: 2}


def outcome_words(outcome: NodeOutcome) -> str:
    """In the reader's language."""
    return {
        NodeOutcome.READ: _("taken as it was"),
        NodeOutcome.REPLACED: _("taken, in part replaced"),
        NodeOutcome.OMITTED: _("left out"),
    }[outcome]


def reason_words(reason: str) -> str:
    """In the reader's language; of an older version's reason the name itself."""
    return _(REASON_WORDS[Reason(reason)][1]) if reason in REASON_WORDS else reason


def report_lines(report: ImportReport) -> Iterator[str]:
    """The report for a terminal: the counts, then each reason with its first places."""
    messages, outcomes = report.messages, report.outcomes
    yield f"{messages['new']:,} messages are new, {messages['known']:,} were already here"
    yield f"{report.nodes:,} nodes: " + ", ".join(f"{outcomes[one]:,} {one}" for one in NodeOutcome)
    for reason, (count, places) in report.by_reason().items():
        yield f"{REASON_WORDS[reason][0]} {count:,}: {reason_words(reason)}"
        for conversation, node in places:
            yield f"    {conversation} {node}".rstrip()
        if count > len(places):
            yield f"    and {count - len(places):,} more"
