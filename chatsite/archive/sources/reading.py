"""Whose export a document is, and its conversations as checked records."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from chatsite.archive.account import AccountRecord, check_account
from chatsite.archive.checking import ImportRefusedError, check_record
from chatsite.archive.schema import FORMAT, ConversationRecord
from chatsite.archive.sources import chatgpt, open_webui
from chatsite.archive.sources.opening import Document, documents
from chatsite.archive.storing import Source

Found = tuple[Source, ConversationRecord]

UNKNOWN = (
    "This is no export that can be read here: neither this site's (format chatsite.conversation), "
    "nor ChatGPT's conversations.json, nor Open WebUI's."
)


class Look(msgspec.Struct):
    """The fields by which exports are told apart."""

    format: Any = None
    mapping: Any = None
    chat: Any = None


def conversations(path: Path) -> Iterator[Found | AccountRecord]:
    """Everything in the file, one after the other. Raises ImportRefusedError at the first thing wrong."""
    for document in documents(path):
        yield from _of(document)


def _of(document: Document) -> Iterator[Found | AccountRecord]:
    if document.content.lstrip()[:1] == b"[":
        for number, raw in enumerate(document.decode(list[msgspec.Raw])):
            yield _one(document, raw, f"$[{number}]")
    else:
        yield _one(document, document.content, "$")


def _one(document: Document, raw: bytes | msgspec.Raw, place: str) -> Found | AccountRecord:
    look = document.decode(Look, raw, place)
    at = document.at(place)
    if look.format == FORMAT:
        return "chatsite", check_record(document.decode(ConversationRecord, raw, place), at)
    if look.format == "chatsite.account":
        return check_account(document.decode(AccountRecord, raw, place), at)
    if isinstance(look.mapping, dict):
        return "chatgpt", check_record(
            chatgpt.record_of(document.decode(chatgpt.Conversation, raw, place), at), at
        )
    if isinstance(look.chat, dict):
        return "open-webui", check_record(
            open_webui.record_of(document.decode(open_webui.Entry, raw, place), at), at
        )
    raise ImportRefusedError(at, UNKNOWN)
