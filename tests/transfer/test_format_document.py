"""docs/export.md names every field of the lossless form, and no other."""

from __future__ import annotations

import re

import pytest

from chatsite.transfer import account_data as account
from chatsite.transfer import schema
from tests.support.source import ROOT

RECORDS = {
    "conversation": schema.ConversationRecord, "message": schema.MessageRecord,
    "feedback": schema.FeedbackRecord, "generation": schema.GenerationRecord,
    "attachment": schema.AttachedRecord, "document": schema.DocumentRecord, "preset": schema.PresetRecord,
    "account": account.AccountRecord, "prompt": account.PromptRecord,
}  # fmt: skip


@pytest.mark.parametrize("name", RECORDS)
def test_every_field_is_documented(name: str) -> None:
    text = (ROOT / "docs/export.md").read_text(encoding="utf-8")
    (row,) = re.findall(rf"^\| {name} \| (.*) \|$", text, re.MULTILINE)
    fields = re.findall(r"`([a-z_]+)`", re.sub(r"\([^)]*\)", "", row))
    assert fields == list(RECORDS[name].__struct_fields__)
