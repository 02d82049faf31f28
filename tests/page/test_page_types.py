"""types/*.d.ts, by which the page is checked, say what the server's schemas say."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import pytest

from tools import page_types


@pytest.mark.parametrize("name", page_types.FILES)
def test_the_committed_types_are_those_of_the_schemas(name: str) -> None:
    committed = (page_types.TYPES / name).read_text(encoding="utf-8")
    assert committed == page_types.FILES[name](), "run `python -m tools.page_types`"


class Part(msgspec.Struct):
    n: int


class Asked(msgspec.Struct, tag_field="type", tag="asked", forbid_unknown_fields=True):
    """What is sent."""

    id: UUID
    part: Part | None = None


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        (Annotated[float, msgspec.Meta(ge=0)] | None, "number | null"),
        (Literal["a", 1], '"a" | 1'),
        (tuple[Part | None, ...], "(Part | null)[]"),
        (dict[str, list[int]], "Record<string, number[]>"),
        (Annotated[dict[str, Any], Part], "Part"),
        (Annotated[str, Literal["x"]], '"x"'),
    ],
)
def test_a_type_becomes(hint: Any, expected: str) -> None:
    assert page_types.type_of(hint, "Wire") == expected


def test_a_frame_has_its_tag_and_what_may_be_left_out() -> None:
    lines = page_types.declaration(Asked, "Wire").splitlines()
    assert lines == [
        "/** What is sent. */",
        "interface Asked {",
        '  type: "asked";',
        "  id: string;",
        "  part?: Part | null;",
        "}",
    ]


def test_a_type_without_a_rule_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="complex"):
        page_types.type_of(complex, "Wire")
