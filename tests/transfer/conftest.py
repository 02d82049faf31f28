from __future__ import annotations

import json
from pathlib import Path

import pytest

from chatsite.transfer.report import ImportReport
from chatsite.transfer.schema import ConversationRecord, MessageRecord
from chatsite.transfer.sources.detection import read_export
from tests.support.at_once import jobs_at_once

__all__ = ["jobs_at_once"]


@pytest.fixture
def read_file(tmp_path: Path):
    """Reads a file with this content: its records and the report."""

    def read(content: object) -> tuple[list[ConversationRecord], ImportReport]:
        path = tmp_path / "export"
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        report = ImportReport()
        found = [entry[1] for entry in read_export(path, report) if isinstance(entry, tuple)]
        assert sum(report.outcomes.values()) == report.nodes
        return found, report

    return read


@pytest.fixture
def read_one(read_file):
    """The one conversation's messages, and the reasons that are told with their places."""

    def read(content: object) -> tuple[list[MessageRecord], dict[str, list[str]]]:
        (record,), report = read_file(content)
        found = report.as_result()["report"]["reasons"]
        return record.messages, {one["reason"]: [place.node for place in one["places"]] for one in found}

    return read
