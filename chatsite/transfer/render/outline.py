"""Flatten a conversation's tree into the sequence in which a document is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chatsite.transfer.schema import ConversationRecord, MessageRecord


@dataclass(frozen=True)
class OutlineEntry:
    """A message in its place, with the names of its documents. `version` of `versions` siblings, from 1.

    `after`: the turn that it follows, by number from 1, where that is not the one before it; 0 at the root.
    """

    number: int
    message: MessageRecord
    version: int
    versions: int
    after: int | None
    documents: tuple[str, ...] = ()


def outline(record: ConversationRecord) -> Iterator[OutlineEntry]:
    """Every message once: a branch to its end, then back to the last place where there is another version."""
    below: dict[str | None, list[MessageRecord]] = {}
    for message in record.messages:
        below.setdefault(message.parent, []).append(message)
    names = {document.id: document.name for document in record.documents}
    numbers: dict[str | None, int] = {None: 0}
    # The last one put on the stack is read first: the first version, and everything below it.
    stack = [(below.get(None, []), 0)]
    before: str | None = None
    while stack:
        siblings, index = stack.pop()
        if index == len(siblings):
            continue
        message = siblings[index]
        stack.append((siblings, index + 1))
        stack.append((below.get(message.id, []), 0))
        number = numbers[message.id] = len(numbers)
        after = None if message.parent == before else numbers[message.parent]
        attached = tuple(names[one.document] for one in message.attachments)
        yield OutlineEntry(number, message, index + 1, len(siblings), after, attached)
        before = message.id
