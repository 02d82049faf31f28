"""Schemas that are made to cost their compiler."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

SEED = 21

REPORTED = {
    "type": "object",
    "properties": {"a": {"type": "string", "pattern": "^" + r"\w{1,1000}" * 500 + "$"}},
}
"""5.7 KB that held up everybody's answers for minutes."""

Schema = dict[str, Any]


def hostile_schemas(count: int, seed: int = SEED) -> list[Schema]:
    """The same ones for the same seed; each kind in turn, sizes spread over orders of magnitude."""
    draw = random.Random(seed)
    return [KINDS[number % len(KINDS)](draw) for number in range(count)]


def _size(draw: random.Random, least: int, most: int) -> int:
    """Spread evenly over magnitudes."""
    return round(least * math.pow(most / least, draw.random()))


def _object(properties: dict[str, Schema], **more: Any) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties), **more}


def _row_of_repetitions(draw: random.Random) -> Schema:
    """The report's own: `\\w{1,1000}`, five hundred times."""
    sign = draw.choice([r"\w", ".", "[a-z]", r"[^\s]", "(a|b|ab)"])
    row = f"{sign}{{1,{_size(draw, 2, 1_000)}}}" * _size(draw, 1, 500)
    return _object({"a": {"type": "string", "pattern": f"^{row}$"}})


def _nested_repetitions(draw: random.Random) -> Schema:
    pattern = draw.choice(["a", r"\w", "(x|y)*"])
    for _ in range(draw.randint(2, 6)):
        pattern = f"({pattern}){{{draw.randint(0, 2)},{_size(draw, 3, 300)}}}"
    return _object({"a": {"type": "string", "pattern": pattern}})


def _exponential_automaton(draw: random.Random) -> Schema:
    """Deterministic only with a state for every subset of what came last."""
    return _object({"a": {"type": "string", "pattern": f"^(a|b)*a(a|b){{{_size(draw, 8, 900)}}}$"}})


def _lengths(draw: random.Random) -> Schema:
    most = _size(draw, 1_000, 1_000_000)
    sizes = {"minLength": draw.randint(0, most), "maxLength": most}
    return _object({f"p{n}": {"type": "string", **sizes} for n in range(_size(draw, 1, 200))})


def _items(draw: random.Random) -> Schema:
    inner: Schema = _object({"a": {"type": "string", "maxLength": _size(draw, 10, 1_000)}})
    for _ in range(draw.randint(1, 5)):
        most = _size(draw, 10, 100_000)
        inner = {"type": "array", "items": inner, "minItems": draw.randint(0, most), "maxItems": most}
    return inner


def _counted_properties(draw: random.Random) -> Schema:
    optional = {f"p{n}": {"type": "string"} for n in range(_size(draw, 5, 500))}
    least = _size(draw, 1, 1_000)
    counted = {"minProperties": least, "additionalProperties": draw.random() < 0.5}
    return {"type": "object", "properties": optional, **counted}


def _optional_properties(draw: random.Random) -> Schema:
    names = [f"{draw.getrandbits(40):x}" for _ in range(_size(draw, 20, 1_500))]
    return {"type": "object", "properties": {name: {"type": "integer"} for name in names}}


def _ambiguous_choices(draw: random.Random) -> Schema:
    """Branches that all begin alike, so that a parser has to follow all of them."""
    kind = draw.choice(["anyOf", "oneOf"])
    return {
        kind: [
            {
                "type": "array",
                "items": {"anyOf": [{"type": "string"}, {"type": "string", "maxLength": n + 1}]},
            }
            for n in range(_size(draw, 10, 800))
        ]
    }


def _products(draw: random.Random) -> Schema:
    ways = _size(draw, 2, 30)
    choice = {"anyOf": [{"type": "string", "pattern": f"a{n}.*{draw.getrandbits(8)}"} for n in range(ways)]}
    return {"allOf": [choice] * draw.randint(2, 6)}


def _references(draw: random.Random) -> Schema:
    length, ways = _size(draw, 3, 300), draw.randint(1, 3)
    kind = draw.choice(["anyOf", "allOf", "prefixItems"])
    chain: Schema = {f"d{n}": {kind: [{"$ref": f"#/$defs/d{n + 1}"}] * ways} for n in range(length)}
    end = draw.choice([{"type": "string"}, {"$ref": "#/$defs/d0"}])
    return {"$defs": {**chain, f"d{length}": end}, "$ref": "#/$defs/d0"}


def _recursion(draw: random.Random) -> Schema:
    return draw.choice(
        [
            {"$ref": "#"},
            {"anyOf": [{"$ref": "#"}, {"type": "string"}]},
            _object({"a": {"$ref": "#"}, "b": {"$ref": "#"}}),
            {"type": "array", "items": {"$ref": "#"}, "minItems": _size(draw, 1, 5_000)},
            {"$ref": "#/$defs/none"},
            {"$ref": "http://schema.invalid/x"},
        ]
    )


def _values(draw: random.Random) -> Schema:
    return {"enum": [f"{draw.getrandbits(48):x}" for _ in range(_size(draw, 100, 4_000))]}


def _depth(draw: random.Random) -> Schema:
    inner: Schema = {"type": "string", "format": draw.choice(["email", "uri", "date-time"])}
    for _ in range(_size(draw, 5, 35)):
        inner = draw.choice([_object({"a": inner}), {"type": "array", "items": inner, "maxItems": 50}])
    return inner


def _names(draw: random.Random) -> Schema:
    patterns = {
        f"^{n}\\w{{1,{_size(draw, 5, 2_000)}}}$": {"type": "string"} for n in range(draw.randint(1, 8))
    }
    return {"type": "object", "patternProperties": patterns, "additionalProperties": False}


def _numbers(draw: random.Random) -> Schema:
    low, high = draw.randint(-(10**17), 0), draw.randint(1, 10**17)
    number = {"type": "integer", "minimum": low, "maximum": high, "multipleOf": _size(draw, 2, 10**6)}
    return _object({f"n{n}": number for n in range(_size(draw, 1, 100))})


KINDS: list[Callable[[random.Random], Schema]] = [
    _row_of_repetitions, _nested_repetitions, _exponential_automaton, _lengths, _items, _counted_properties,
    _optional_properties, _ambiguous_choices, _products, _references, _recursion, _values, _depth, _names,
    _numbers,
]  # fmt: skip
