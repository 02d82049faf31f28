"""Any value anywhere in an export of another product: it is read, and every node is accounted for."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from chatsite.transfer.report import ImportReport
from chatsite.transfer.schema import ConversationRecord, encode
from chatsite.transfer.sources.detection import read_export
from chatsite.transfer.validation import ImportRefusedError, check_record
from tests.support.foreign_exports import MAKERS
from tests.support.seeds import of_seed

ODD: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1.5,
    float("nan"),
    10**400,
    "",
    "x",
    "\0",
    "\ud800",
    "all",
    "assistant",
    "cite\ue200",
    [],
    {},
    [[]],
    [None],
    ["x", 5],
    {"x": None},
    {"": []},
    [{"type": "text"}],
    {"content_type": "text"},
    "2024-01-01",
    1e300,
    [{"type": "image_url", "text": 5}],
    {"parts": "x"},
    {"role": {}},
    {"url": 5, "title": []},
    "💥" * 300,
)

FIELDS = (
    "content",
    "metadata",
    "author",
    "recipient",
    "parts",
    "thoughts",
    "content_type",
    "content_references",
    "citations",
    "attachments",
    "files",
    "file",
    "sources",
    "merged",
    "error",
    "code_executions",
    "create_time",
    "children",
    "parent",
    "parentId",
    "childrenIds",
    "text",
    "title",
    "id",
    "chat",
    "history",
    "messages",
)
"""Names of fields that the readers look for."""


def containers(value: Any) -> Iterator[dict[str, Any] | list[Any]]:
    """Every object and list in it, but the outermost."""
    stack = [value]
    while stack:
        at = stack.pop()
        inner = list(at.values()) if isinstance(at, dict) else list(at)
        found = [one for one in inner if isinstance(one, dict | list)]
        yield from found
        stack += found


def make_odd(rng: random.Random, conversation: dict[str, Any]) -> None:
    """Put an odd value into some place of it."""
    at = rng.choice([one for one in containers(conversation) if one] or [conversation])
    odd = deepcopy(rng.choice(ODD))
    if isinstance(at, list):
        at[rng.randrange(len(at))] = odd
    elif rng.random() < 0.3:
        at[rng.choice(FIELDS)] = odd
    else:
        at[rng.choice(list(at))] = odd


def check_odd(seed: int, path: Path) -> None:
    rng = random.Random(seed)
    source = rng.choice(list(MAKERS))
    raw = deepcopy(MAKERS[source](rng, f"c{seed}").raw)  # parts of it are every export's
    for _ in range(rng.randint(1, 6)):
        make_odd(rng, raw)
    path.write_text(json.dumps([raw]))
    report = ImportReport()
    with suppress(ImportRefusedError):  # nothing in it is a conversation any more
        for _, record in read_export(path, report):  # type: ignore[misc]
            assert isinstance(record, ConversationRecord)
            check_record(record, "$")
            encode(record)
    assert sum(report.outcomes.values()) == report.nodes


@pytest.mark.parametrize("seed", range(100))
def test_odd_values_break_nothing(seed: int, tmp_path: Path) -> None:
    check_odd(seed, tmp_path / "export")


@pytest.mark.proof
@pytest.mark.parametrize("first", range(100, 2_100, 100))
def test_two_thousand_of_them_neither(first: int, tmp_path: Path) -> None:
    for seed in range(first, first + 100):
        with of_seed(seed):
            check_odd(seed, tmp_path / "export")
