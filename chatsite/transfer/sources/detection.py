"""Detect which product an export comes from, and read it as validated records.

Our own form is read strictly, and refused whole at its first error. Foreign exports are read as they are:
what in them cannot be read is replaced or left out, and told to the report; of a file that is cut or broken
what is whole is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from chatsite.transfer.account_data import AccountRecord, check_account
from chatsite.transfer.import_rows import ImportSource
from chatsite.transfer.report import ImportReport, Reason
from chatsite.transfer.schema import FORMAT, ConversationRecord
from chatsite.transfer.sources.chatgpt import chatgpt_conversation
from chatsite.transfer.sources.claude import claude_conversation
from chatsite.transfer.sources.decoding import (
    BrokenPlace,
    FoundObject,
    decode_values,
    find_objects,
    shallow,
)
from chatsite.transfer.sources.files import is_document_file
from chatsite.transfer.sources.librechat import librechat_conversation
from chatsite.transfer.sources.open_webui import open_webui_conversation
from chatsite.transfer.sources.opening import BrokenFile, JsonDocument, OtherFile, opened_files
from chatsite.transfer.sources.tree import ForeignConversation, foreign_record
from chatsite.transfer.validation import ImportRefusedError, check_record

Found = tuple[ImportSource, ConversationRecord]

ACCOUNT_FORMAT = "chatsite.account"
OURS = (FORMAT, ACCOUNT_FORMAT)

UNKNOWN = (
    "This is no export that can be read here: neither this site's (format chatsite.conversation), "
    "nor ChatGPT's or Claude's conversations.json, nor Open WebUI's or LibreChat's."
)

READERS: dict[ImportSource, Callable[[dict[str, Any]], ForeignConversation]] = {
    "chatgpt": chatgpt_conversation,
    "claude": claude_conversation,
    "librechat": librechat_conversation,
    "open-webui": open_webui_conversation,
}


def read_export(path: Path, report: ImportReport | None = None) -> Iterator[Found | AccountRecord]:
    """Yield everything in the file, one by one; what is left out or replaced is told to the report.

    Raises ImportRefusedError where the file is none that can be read, or holds an error in our own form.
    """
    reading = _Reading(report or ImportReport())
    for opened in opened_files(path):
        if isinstance(opened, OtherFile):
            reading.others.append(opened.name)
        elif isinstance(opened, BrokenFile):
            reading.add_broken("", opened.name, opened.reason)
        else:
            yield from reading.read(opened)
    reading.end()


class _Reading:
    """Reads documents, and tells what in them is no conversation. `others`: files that are none of them."""

    def __init__(self, report: ImportReport) -> None:
        self.others: list[str] = []
        self._report = report
        self._unknown: ImportRefusedError | None = None
        self._broken: ImportRefusedError | None = None
        self._is_any = self._is_ours = False

    def read(self, document: JsonDocument) -> Iterator[Found | AccountRecord]:
        """Its conversations, one by one. Raises ImportRefusedError for an error in our own form."""
        if document.encoding:
            self._report.note(Reason.ENCODING, document.name, document.encoding)
        entries = 0
        for found in find_objects(document, lambda fields: _kind(fields) is not None):
            entries += 1
            if isinstance(found, FoundObject):
                self._is_any = True
                self._is_ours = self._is_ours or _kind(found.fields) in OURS
                if (record := _read(document, found, self._report)) is not None:
                    yield record
                del record  # or it were held while the next one is read
            elif isinstance(found, BrokenPlace):
                self.add_broken(document.name, found.place, found.reason)
            else:
                self._add_unknown(document, found.place)
            del found
        if not entries and shallow(document.content) != []:
            self._add_unknown(document, "$")

    def add_broken(self, name: str, place: str, reason: str) -> None:
        """The file, or a document in it, is cut or damaged here."""
        self._broken = self._broken or ImportRefusedError(f"{name} {place}".strip(), reason)
        self._report.note(Reason.BROKEN, name, place)

    def _add_unknown(self, document: JsonDocument, place: str) -> None:
        self._unknown = self._unknown or ImportRefusedError(document.at(place), UNKNOWN)
        self._report.note(Reason.UNKNOWN, document.name, place)

    def end(self) -> None:
        """Raises ImportRefusedError where nothing was found, or our own form is not there whole."""
        if self._broken and (self._is_ours or not self._is_any):
            raise self._broken
        if self._unknown and not self._is_any:
            raise self._unknown
        for name in self.others:
            if not (self._is_ours and is_document_file(name)):
                self._report.note(Reason.BESIDE, "", name)


def _read(document: JsonDocument, found: FoundObject, report: ImportReport) -> Found | AccountRecord | None:
    kind = _kind(found.fields)
    at = document.at(found.place)
    if found.raw is None and kind in OURS:
        document.decode(object)  # it had to be read leniently: this tells why
    if kind in OURS and document.encoding:
        raise ImportRefusedError(document.at("$"), "It is not UTF-8.")
    if kind == FORMAT:
        record = check_record(document.decode(ConversationRecord, found.raw, found.place), at)
        report.add_nodes(record.title, len(record.messages), ((one.id, ()) for one in record.messages))
        return "chatsite", record
    if kind == ACCOUNT_FORMAT:
        return check_account(document.decode(AccountRecord, found.raw, found.place), at)
    for source, read in READERS.items():
        if kind == source:
            conversation = read(decode_values(document, found))
            if found.is_broken:
                conversation.reasons.add(Reason.CUT)
            foreign = foreign_record(conversation, report)
            return (source, foreign) if foreign else None
    raise AssertionError(kind)


def _kind(fields: Mapping[str, Any]) -> str | None:
    """The form of an object, by the fields that it alone has; None of one that is no conversation."""
    if (format := shallow(fields.get("format"))) in OURS:
        return str(format)
    if "mapping" in fields:
        return "chatgpt"
    if "chat_messages" in fields:
        return "claude"
    if isinstance(shallow(fields.get("chat")), dict) or isinstance(shallow(fields.get("history")), dict):
        return "open-webui"
    messages = shallow(fields.get("messages"))
    first = shallow(messages[0]) if isinstance(messages, list) and messages else None
    if ("conversationId" in fields and "messages" in fields) or (
        isinstance(first, dict) and "messageId" in first
    ):
        return "librechat"
    return "open-webui" if isinstance(first, dict) and "role" in first else None
