"""Validate import records beyond their schema: the messages form a tree, and the text can be stored."""

from __future__ import annotations

from collections.abc import Iterator

from chatsite.transfer.schema import ConversationRecord, MessageRecord

MAX_MESSAGES = 100_000
"""Of one conversation: a hundred times the longest that the page is measured with."""

MAX_LEVELS = 50
"""Of lists and objects in a field that takes any: what programs write down of an answer has three or four."""

TOO_DEEP = "lists and objects are nested too deeply."


class ImportRefusedError(Exception):
    """The import is refused and nothing was stored. `place`: where in the file; `reason`: what is wrong."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}" if place else reason)
        self.place = place
        self.reason = reason


def check_record(record: ConversationRecord, place: str) -> ConversationRecord:
    """Return the record. Raises ImportRefusedError with the place of the first error."""
    if len(record.messages) > MAX_MESSAGES:
        raise ImportRefusedError(
            f"{place}.messages", f"{len(record.messages):,} messages; at most {MAX_MESSAGES:,}."
        )
    documents = {document.id for document in record.documents}
    if len(documents) < len(record.documents):
        raise ImportRefusedError(f"{place}.documents", "an id stands twice.")
    seen: set[str] = set()
    for number, message in enumerate(record.messages):
        at = f"{place}.messages[{number}]"
        if message.id in seen:
            raise ImportRefusedError(f"{at}.id", f"{message.id!r} stands twice.")
        if message.parent is not None and message.parent not in seen:
            raise ImportRefusedError(f"{at}.parent", f"no message before it has the id {message.parent!r}.")
        if message.role != "assistant" and (message.feedback or message.generation):
            raise ImportRefusedError(at, "only answers have feedback and a generation.")
        if made := message.generation:
            check_depth(f"{at}.generation.sampling", made.sampling)
            check_depth(f"{at}.generation.usage", made.usage)
        named = [one.document for one in message.attachments]
        if len(set(named)) < len(named) or not documents.issuperset(named):
            raise ImportRefusedError(f"{at}.attachments", "each names a document of `documents`, once.")
        seen.add(message.id)
    for name, text in _texts(record):
        check_text(f"{place}.{name}", text)
    return record


def check_text(place: str, text: str) -> None:
    """Raises ImportRefusedError where PostgreSQL would refuse the text."""
    if "\0" in text:
        raise ImportRefusedError(place, "a NUL character cannot be stored.")


def check_depth(place: str, value: object, levels: int = MAX_LEVELS) -> None:
    """Raises ImportRefusedError where a JSON value has more levels."""
    if not isinstance(value, dict | list):
        return
    if levels == 0:
        raise ImportRefusedError(place, TOO_DEEP)
    for inner in value.values() if isinstance(value, dict) else value:
        check_depth(place, inner, levels - 1)


def _texts(record: ConversationRecord) -> Iterator[tuple[str, str]]:
    yield from (("title", record.title), ("folder", record.folder), ("system", record.system))
    if record.preset:
        yield from (("preset.name", record.preset.name), ("preset.system", record.preset.system))
    for number, document in enumerate(record.documents):
        yield f"documents[{number}].name", document.name
        yield f"documents[{number}].text", document.text
    for number, message in enumerate(record.messages):
        yield from ((f"messages[{number}].{name}", text) for name, text in _texts_of(message))


def _texts_of(message: MessageRecord) -> Iterator[tuple[str, str]]:
    yield from (("content", message.content), ("reasoning", message.reasoning))
    if message.feedback:
        yield "feedback.comment", message.feedback.comment
    if message.generation:
        made = message.generation
        yield from (("generation.message", made.message), ("generation.finish_reason", made.finish_reason))
        yield from (("generation.sampling", text) for text in _strings(made.sampling))
        yield from (("generation.usage", text) for text in _strings(made.usage))


def _strings(value: object) -> Iterator[str]:
    """Every string of a JSON value, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from (str(key), *_strings(inner))
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
