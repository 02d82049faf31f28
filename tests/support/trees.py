"""Conversations as hypothesis makes them, and two of them compared up to ids."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import strategies as st

from chatsite.transfer.schema import (
    AttachedRecord,
    ConversationRecord,
    DocumentRecord,
    FeedbackRecord,
    GenerationRecord,
    MessageRecord,
    PresetRecord,
)

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
NAMES = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20)
COUNTS = st.integers(0, 2**31 - 1)
JSON_VALUES = st.dictionaries(NAMES, st.none() | st.booleans() | st.integers(0, 10**6) | TEXT, max_size=3)
MOMENTS = st.integers(0, 10**9).map(lambda n: BEGIN + timedelta(microseconds=n * 7))

FEEDBACK = st.builds(FeedbackRecord, value=st.sampled_from([-1, 1]), comment=TEXT, updated_at=MOMENTS)
GENERATION = st.builds(
    GenerationRecord,
    status=st.sampled_from(["finished", "cancelled", "failed", "timed_out", "interrupted"]),
    finish_reason=st.sampled_from(["", "stop", "length"]),
    message=TEXT, sampling=JSON_VALUES, usage=JSON_VALUES, new_chars=COUNTS, prompt_tokens=COUNTS,
    max_tokens=COUNTS, completion_tokens=COUNTS, batch=st.booleans(), created_at=MOMENTS,
    finished_at=st.none() | MOMENTS,
)  # fmt: skip
PRESETS = st.builds(
    PresetRecord, name=NAMES, system=TEXT, temperature=st.none() | st.floats(0, 2),
    top_p=st.none() | st.floats(0, 1), max_tokens=st.none() | COUNTS,
)  # fmt: skip


DOCUMENTS = st.lists(
    st.builds(
        DocumentRecord, id=st.uuids().map(str), name=NAMES, kind=st.sampled_from(["text", "pdf", "docx"]),
        size=st.integers(0, 10**6), pages=st.none() | COUNTS, tokens=COUNTS, text=TEXT, created_at=MOMENTS,
    ),
    max_size=3, unique_by=(lambda one: one.id, lambda one: one.created_at),
)  # fmt: skip


@st.composite
def messages(draw: st.DrawFn, documents: list[DocumentRecord]) -> list[MessageRecord]:
    """A tree of any shape, several roots too, in the order in which an export writes it: by time."""
    found: list[MessageRecord] = []
    at = BEGIN
    for number in range(draw(st.integers(0, 12))):
        at += timedelta(microseconds=draw(st.integers(1, 10**9)))
        role = draw(st.sampled_from(["user", "assistant", "system", "raw"]))
        is_answer = role == "assistant"
        found.append(
            MessageRecord(
                id=f"m{number}",
                parent=draw(st.none() | st.sampled_from([one.id for one in found])) if found else None,
                role=role,
                content=draw(TEXT),
                reasoning=draw(TEXT) if is_answer else "",
                created_at=at,
                feedback=draw(st.none() | FEEDBACK) if is_answer else None,
                generation=draw(st.none() | GENERATION) if is_answer else None,
                attachments=draw(attached(documents)),
            )
        )
    return found


def attached(documents: list[DocumentRecord]) -> st.SearchStrategy[list[AttachedRecord]]:
    """Places of some of these documents, each once."""
    if not documents:
        return st.just([])
    places = st.builds(
        AttachedRecord, document=st.sampled_from([one.id for one in documents]), given=st.none() | COUNTS
    )
    return st.lists(places, max_size=2, unique_by=lambda one: one.document)


@st.composite
def conversations(draw: st.DrawFn) -> ConversationRecord:
    documents = sorted(draw(DOCUMENTS), key=lambda one: one.created_at)
    turns = draw(messages(documents))
    sent = {place.document for turn in turns for place in turn.attachments}
    return ConversationRecord(
        id=draw(st.uuids().map(str)),
        title=draw(TEXT),
        pinned=draw(st.booleans()),
        archived=draw(st.booleans()),
        folder=draw(TEXT),
        system=draw(TEXT),
        preset=draw(st.none() | PRESETS),
        keep_days=draw(st.none() | st.integers(1, 36_500)),
        created_at=draw(MOMENTS),
        updated_at=draw(MOMENTS),
        messages=turns,
        documents=[one for one in documents if one.id in sent],
    )


def without_ids(record: ConversationRecord) -> Any:
    """The record with every id replaced by the number of its message."""
    numbers: dict[str | None, Any] = {None: None} | {
        message.id: number for number, message in enumerate(record.messages)
    }
    plain = msgspec.to_builtins(record)
    plain["id"] = ""
    files = {document.id: number for number, document in enumerate(record.documents)}
    for number, document in enumerate(plain["documents"]):
        document["id"] = number
    for message in plain["messages"]:
        for place in message["attachments"]:
            place["document"] = files[place["document"]]
        message["id"], message["parent"] = numbers[message["id"]], numbers[message["parent"]]
    return plain


def long_chain(count: int, text: str, id: str = "chain") -> ConversationRecord:
    """Questions and answers in turn, each the text and its number."""
    return ConversationRecord(
        id=id, title=text[:200], created_at=BEGIN, updated_at=BEGIN,
        messages=[
            MessageRecord(
                id=f"{id}-{n}", parent=f"{id}-{n - 1}" if n else None, role="assistant" if n % 2 else "user",
                content=f"{text} {n}", created_at=BEGIN + timedelta(seconds=n),
            )
            for n in range(count)
        ],
    )  # fmt: skip
