"""Exports with odd nodes, made by a seed: everything but what is odd arrives, and the rest is told."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from chatsite.transfer.export_rows import read_records
from chatsite.transfer.importing import import_file
from chatsite.transfer.progress import ignore_progress
from chatsite.transfer.report import ImportReport, NodeOutcome
from chatsite.transfer.schema import ConversationRecord
from chatsite.transfer.sources.detection import read_export
from chatsite.transfer.validation import ImportRefusedError, check_record
from tests.support.foreign_exports import MadeConversation, MadeExport, made_export
from tests.support.people import People
from tests.support.seeds import of_seed

SEEDS = range(100)
MORE_SEEDS = [range(first, first + 100) for first in range(100, 2_100, 100)]
"""Twenty tests and not two thousand, which every run would collect for long."""


@pytest.mark.parametrize("seed", SEEDS)
def test_every_node_is_read_replaced_or_left_out_and_told(seed: int, tmp_path: Path) -> None:
    check_export(seed, tmp_path)


@pytest.mark.proof
@pytest.mark.parametrize("seeds", MORE_SEEDS, ids=str)
def test_of_two_thousand_too(seeds: range, tmp_path: Path) -> None:
    for seed in seeds:
        folder = tmp_path / f"seed-{seed}"
        folder.mkdir()
        with of_seed(seed):
            check_export(seed, folder)


def check_export(seed: int, folder: Path) -> None:
    made = made_export(seed)
    (folder / "export").write_bytes(made.content)
    report = ImportReport(folder / "details.csv")
    found = {}
    for entry in read_export(folder / "export", report):
        assert isinstance(entry, tuple)
        source, record = entry
        check_record(record, "$")
        found[record.id] = (source, record)
    for conversation in made.conversations:
        comes = [turn for turn in conversation.turns if turn.content is not None]
        assert (conversation.id in found) == bool(comes), conversation.id
        if comes:
            source, record = found[conversation.id]
            assert (source, record.title) == (conversation.source, conversation.title)
            check_turns(conversation, record)
    check_report(made, report, folder / "details.csv")


def check_turns(made: MadeConversation, record: ConversationRecord) -> None:
    messages = {message.id: message for message in record.messages}
    for turn in made.turns:
        if turn.content is None:
            assert turn.key not in messages
            continue
        message = messages.pop(turn.key)
        assert (message.role, message.content) == (turn.role, turn.content)
        assert (message.parent, message.reasoning) == (made.right_parent(turn), turn.reasoning)
        assert message.created_at.year > 2000, "no time is 1970"
    assert not messages


def check_report(made: MadeExport, report: ImportReport, details: Path) -> None:
    turns = [turn for one in made.conversations for turn in one.turns]
    right = {outcome: sum(turn.outcome == outcome for turn in turns) for outcome in NodeOutcome}
    assert {outcome: report.outcomes[outcome] for outcome in NodeOutcome} == right
    assert report.nodes == len(turns) == sum(right.values())
    lines = list(csv.reader(details.read_text("utf-8-sig").splitlines())) if details.exists() else []
    told = {(title, node) for title, node, _, _ in lines[1:]}
    for conversation in made.conversations:
        for turn in conversation.turns:
            assert ((conversation.title, turn.key) in told) == (turn.outcome != "read"), turn
    reasons = [turn.reason for turn in turns if turn.reason]
    for reason in set(reasons):
        assert report.reasons[reason] == reasons.count(reason), reason
    assert report.reasons["unknown"] == made.unknown
    assert sum(report.reasons.values()) == len(lines[1:])


@pytest.mark.parametrize("seed", range(8))
def test_a_second_import_says_what_it_already_has(people: People, seed: int, tmp_path: Path) -> None:
    made = made_export(seed)
    path = tmp_path / "export"
    path.write_bytes(made.content)
    first = import_file(people.alice.pk, path, ignore_progress)
    before = list(read_records(people.alice.pk))
    second = import_file(people.alice.pk, path, ignore_progress)
    assert second.conversations == {"new": 0, "grown": 0, "known": first.conversations["new"]}
    assert second.messages == {"new": 0, "known": first.messages["new"]}
    assert list(read_records(people.alice.pk)) == before
    assert sum(len(record.messages) for record in before) == first.messages["new"]


def test_a_file_of_entries_that_are_no_conversations_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "export"
    path.write_text('[null, {"a": 1}]')
    with pytest.raises(ImportRefusedError, match=r"\$\[0\]: This is no export"):
        list(read_export(path))
