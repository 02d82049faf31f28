"""Import a file: all of it is read first, then written hidden, and shown at once at the end.

So a file that is refused leaves nothing, and so does an import that is ended in the middle. One conversation
lies in memory at a time, and no transaction lasts longer than a slice (chatsite/slices.py).
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from chatsite.token_counting import count_text
from chatsite.transfer.account_data import AccountRecord
from chatsite.transfer.hidden_import import HiddenImport
from chatsite.transfer.import_rows import add_record, documents_here
from chatsite.transfer.progress import ProgressCallback
from chatsite.transfer.report import ImportReport
from chatsite.transfer.schema import ConversationRecord
from chatsite.transfer.sources.detection import read_export
from chatsite.transfer.sources.files import StorageCheck, do_store_files


def import_file(owner: int, path: Path, tell: ProgressCallback, details: Path | None = None) -> ImportReport:
    """Store what the file holds, and report. `details`: the CSV of all that was replaced or left out.

    `tell` counts conversations read, then stored: its total is twice as many as there are.

    Raises ImportRefusedError; then nothing was stored.
    """
    total = done = 0
    room = StorageCheck(owner, path)
    for found in read_export(path):
        total += 1
        tell(0, total * 2)
        if not isinstance(found, AccountRecord):
            source, record = found
            room.check(record, documents_here(owner, record, source), files=source == "chatsite")
            del record
        del found  # or it were held while the next one is read
    report = ImportReport(details)
    with HiddenImport(owner, lambda: tell(total + done, total * 2)) as hidden:
        for found in read_export(path, report):
            if isinstance(found, AccountRecord):
                hidden.account = found
            else:
                source, record = found
                if source != "chatsite":
                    record = _counted(record)
                stored = add_record(hidden, record, source)
                report.add_stored(
                    stored.result, stored.new_messages, len(record.messages) - stored.new_messages
                )
                do_store_files(path, stored.documents)
                del record
            del found
            done += 1
        hidden.reveal()
    tell(total * 2, total * 2)
    return report


def _counted(record: ConversationRecord) -> ConversationRecord:
    """With the tokens of its documents, which no foreign export knows."""
    documents = [
        msgspec.structs.replace(document, tokens=count_text(document.text)) for document in record.documents
    ]
    return msgspec.structs.replace(record, documents=documents)
