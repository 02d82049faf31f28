"""Detect which product an export comes from, and read it as validated records.

Our own form is read strictly, and refused whole at its first error. Foreign exports are read as they are:
what in them cannot be read is replaced or left out, and told to the report.
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
from chatsite.transfer.sources.decoding import FoundObject, UnknownEntry, decode_values, find_objects, shallow
from chatsite.transfer.sources.librechat import librechat_conversation
from chatsite.transfer.sources.open_webui import open_webui_conversation
from chatsite.transfer.sources.opening import JsonDocument, json_documents
from chatsite.transfer.sources.tree import ForeignConversation, foreign_record
from chatsite.transfer.validation import ImportRefusedError, check_record

Found = tuple[ImportSource, ConversationRecord]

ACCOUNT_FORMAT = "chatsite.account"

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
    report = report or ImportReport()
    unknown: list[str] = []
    is_any = False
    for document in json_documents(path):
        entries = 0
        for found in find_objects(document, lambda fields: _kind(fields) is not None):
            entries += 1
            if isinstance(found, UnknownEntry):
                unknown.append(document.at(found.place))
                report.note(Reason.UNKNOWN, document.name, found.place)
                continue
            is_any = True
            if (record := _read(document, found, report)) is not None:
                yield record
            del found, record  # or they were held while the next one is read
        if not entries and shallow(document.content) != []:
            unknown.append(document.at("$"))
            report.note(Reason.UNKNOWN, document.name, "$")
    if unknown and not is_any:
        raise ImportRefusedError(unknown[0], UNKNOWN)


def _read(document: JsonDocument, found: FoundObject, report: ImportReport) -> Found | AccountRecord | None:
    kind = _kind(found.fields)
    at = document.at(found.place)
    if found.raw is None and kind in (FORMAT, ACCOUNT_FORMAT):
        document.decode(object)  # it had to be read leniently: this tells why
    if kind == FORMAT:
        record = check_record(document.decode(ConversationRecord, found.raw, found.place), at)
        report.add_nodes(record.title, len(record.messages), ((one.id, ()) for one in record.messages))
        return "chatsite", record
    if kind == ACCOUNT_FORMAT:
        return check_account(document.decode(AccountRecord, found.raw, found.place), at)
    for source, read in READERS.items():
        if kind == source:
            foreign = foreign_record(read(decode_values(document, found)), report)
            return (source, foreign) if foreign else None
    raise AssertionError(kind)


def _kind(fields: Mapping[str, Any]) -> str | None:
    """The form of an object, by the fields that it alone has; None of one that is no conversation."""
    if (format := shallow(fields.get("format"))) in (FORMAT, ACCOUNT_FORMAT):
        return str(format)
    if "mapping" in fields:
        return "chatgpt"
    if "chat_messages" in fields:
        return "claude"
    if isinstance(shallow(fields.get("chat")), dict) or isinstance(shallow(fields.get("history")), dict):
        return "open-webui"
    messages = shallow(fields.get("messages"))
    first = shallow(messages[0]) if isinstance(messages, list) and messages else None
    if "conversationId" in fields or (isinstance(first, dict) and "messageId" in first):
        return "librechat"
    return "open-webui" if isinstance(first, dict) and "role" in first else None
