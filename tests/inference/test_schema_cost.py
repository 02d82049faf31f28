"""What a schema may cost: a table of keywords, each at its bound and beyond, and what people write."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.schema_cost import (
    MAX_ALTERNATIVES,
    MAX_CHAIN,
    MAX_CHARS,
    MAX_ITEMS,
    MAX_PATTERN_STATES,
    MAX_PROPERTIES,
    MAX_STATES,
    MAX_VALUES,
    SchemaCostError,
    check_schema_cost,
    costliest,
    pattern_states,
)
from tests.support.hostile_schemas import REPORTED, hostile_schemas

STRING = {"type": "string"}


def chain(length: int, end: dict[str, Any]) -> dict[str, Any]:
    links = {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(length)}
    return {"$defs": {**links, f"d{length}": end}, "$ref": "#/$defs/d0"}


def choices(count: int) -> dict[str, Any]:
    return {"anyOf": [{"const": n} for n in range(count)]}


BOUNDS = [
    ("minLength", lambda n: {"minLength": n}, MAX_CHARS),
    ("maxLength", lambda n: {"maxLength": n}, MAX_CHARS),
    ("minItems", lambda n: {"minItems": n}, MAX_ITEMS),
    ("maxItems", lambda n: {"maxItems": n, "items": STRING}, MAX_ITEMS),
    ("minProperties", lambda n: {"minProperties": n}, MAX_PROPERTIES),
    ("maxProperties", lambda n: {"maxProperties": n}, MAX_PROPERTIES),
    ("pattern", lambda n: {"pattern": "a" * n}, MAX_PATTERN_STATES),
    ("pattern", lambda n: {"pattern": f"a{{1,{n}}}"}, MAX_PATTERN_STATES),
    ("pattern", lambda n: {"pattern": f"^((ab){{2}}){{{n // 4}}}" + "x" * (n % 4)}, MAX_PATTERN_STATES),
    ("patternProperties", lambda n: {"patternProperties": {f"[a-z]{{{n}}}": STRING}}, MAX_PATTERN_STATES),
    ("enum", lambda n: {"enum": list(range(n))}, MAX_VALUES),
    ("anyOf", choices, MAX_ALTERNATIVES),
    ("oneOf", lambda n: {"oneOf": [STRING] * n}, MAX_ALTERNATIVES),
    ("allOf", lambda n: {"allOf": [choices(n // 50), choices(50)]}, MAX_ALTERNATIVES),
    ("$ref", lambda n: chain(n, STRING), MAX_CHAIN - 1),
]
"""(keyword, a schema that asks for n by it, the most)."""


@pytest.mark.parametrize(("keyword", "schema", "most"), BOUNDS)
def test_each_keyword_has_its_bound(keyword: str, schema: Any, most: int) -> None:
    check_schema_cost(inside(schema(most)))
    with pytest.raises(SchemaCostError) as error:
        check_schema_cost(inside(schema(most + 50)))
    assert error.value.keyword == keyword
    assert f"'{keyword}' at #" in str(error.value)


def inside(schema: dict[str, Any]) -> dict[str, Any]:
    """The same in an array's item, where references from the root still hold."""
    if "$defs" in schema:
        return schema
    return {"type": "array", "items": {"type": "object", "properties": {"a": schema}}}


@pytest.mark.parametrize(
    "part",
    [
        {"type": "array", "maxItems": MAX_ITEMS // 2},
        {"type": "string", "maxLength": MAX_CHARS},
        {"type": "string", "pattern": r"\d{500}"},
        {"enum": list(range(MAX_VALUES // 2))},
        {"minProperties": 100, "properties": {f"p{n}": STRING for n in range(40)}},
    ],
    ids=lambda part: str(part)[:30],
)
def test_what_is_bounded_alone_is_bounded_together(part: dict[str, Any]) -> None:
    check_schema_cost(part)
    with pytest.raises(SchemaCostError, match=f"the most is {MAX_STATES:,}"):
        check_schema_cost({"properties": {f"p{n}": part for n in range(50)}})


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"anyOf": [{"$ref": "#"}, STRING]},
        {"properties": {"a": {"$ref": "#/properties/a"}}},
        {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"allOf": [{"$ref": "#/$defs/a"}]}}},
        {"$ref": "#/$defs/none"},
        {"$ref": "http://schema.invalid/x"},
        {"$ref": "#anchor"},
        {"$ref": 7},
        {"allOf": [STRING] * 3 + [{"$ref": "#/allOf/9999999999999999999999"}]},
    ],
    ids=str,
)
def test_a_reference_that_leads_nowhere_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(SchemaCostError) as error:
        check_schema_cost(schema)
    assert error.value.keyword == "$ref"


def test_the_reported_schema_is_refused_by_its_pattern() -> None:
    with pytest.raises(SchemaCostError, match="'pattern' at #/properties/a") as error:
        check_schema_cost(REPORTED)
    assert f"{MAX_PATTERN_STATES:,}" in str(error.value)


def test_what_people_write_is_cheap() -> None:
    """A recursive tree, a long list, names that are keywords, and data that looks like a schema."""
    written = {
        "$defs": {
            "node": {
                "type": "object",
                "properties": {
                    "name": {"type": "string", "maxLength": 2_000},
                    "children": {"type": "array", "items": {"$ref": "#/$defs/node"}, "maxItems": 100},
                    "pattern": {"type": "string", "pattern": r"^[A-Z]{2,3}-\d{4}$"},
                    "$ref": STRING,
                },
            }
        },
        "anyOf": [{"$ref": "#/$defs/node"}, {"type": "array", "items": {"$ref": "#/$defs/node"}}],
        "default": {"$ref": "nowhere", "maxItems": 10**9},
        "examples": [{"pattern": "a{1000000}"}],
    }
    assert check_schema_cost(written) < MAX_STATES / 10


@pytest.mark.parametrize(
    ("pattern", "states"),
    [
        ("", 0),
        ("abc", 3),
        (r"\d\w\.", 3),
        (r"[^\]a-z]x", 2),
        ("a{3}", 3),
        ("a{2,5}b", 6),
        ("a{4,}", 4),
        ("a{,3}", 5),  # no repetition: what it says stands there
        ("(ab|cd){10}", 40),
        ("((a{3}){3}){3}", 27),
        ("a*b+c?", 3),
        ("(" * 50_000, 0),
        ("a)" * 3, 6),  # a bracket that closes nothing is a sign
        ("\\", 1),
        ("[", 1),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_pattern_is_counted_with_its_repetitions(pattern: str, states: int) -> None:
    assert pattern_states(pattern) == states


def test_huge_repetitions_cost_no_huge_arithmetic() -> None:
    assert pattern_states("(" * 2_000 + "a" + "){99999999999999999999}" * 2_000) > MAX_PATTERN_STATES


@given(st.recursive(st.text("ab{}()[]\\,19*|", max_size=20), lambda inner: st.lists(inner).map("".join)))
def test_no_pattern_breaks_the_count(pattern: str) -> None:
    assert pattern_states(pattern) >= 0


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("#"),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["$ref", "allOf", "anyOf", "enum", "items", "maxItems", "pattern", "properties"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(
    st.dictionaries(st.sampled_from(["$defs", "$ref", "items", "oneOf", "minProperties", "required"]), JSON)
)
def test_no_schema_breaks_the_count(schema: dict[str, Any]) -> None:
    """Values of every wrong type: refused by name or counted, never anything else."""
    with suppress(SchemaCostError):
        assert check_schema_cost(schema) <= MAX_STATES


def test_the_costliest_keyword_is_found() -> None:
    assert costliest({"properties": {"a": STRING, "b": {"maxItems": 900}, "c": {"enum": [1, 2]}}}) == (
        "'maxItems' at #/properties/b"
    )


def test_hostile_schemas_are_the_same_for_the_same_seed() -> None:
    assert hostile_schemas(30, seed=1) == hostile_schemas(30, seed=1) != hostile_schemas(30, seed=2)
