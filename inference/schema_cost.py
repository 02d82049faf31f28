"""Estimate what a JSON schema costs its grammar compiler, and refuse what is too expensive. Pure.

A grammar compiler makes states of what a schema repeats: `maxItems` 10,000 is ten thousand of them, and in a
pattern the repetitions of nested groups multiply. So small schemas can be expensive. The estimate counts such
states; its bound is low enough that no known compiler takes seconds, and it is the only protection of remote
servers. On this machine a resource-limited process then compiles the schema first
(engines/vllm/host/grammar_gate).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

MAX_STATES = 20_000
"""Of a whole schema: llguidance compiles that many repeated items in half a second, 100,000 in five."""

MAX_PATTERN_STATES = 1_000
"""Of one pattern. xgrammar takes 70 ms for one repetition of that length and seconds for several in a row."""

MAX_CHARS = 100_000
"""In `minLength` and `maxLength`. A counter, not a state each: a hundred of them count as one state."""

CHARS_PER_STATE = 100

MAX_ITEMS = 10_000
"""In `minItems` and `maxItems`: far beyond what a model's context holds."""

MAX_PROPERTIES = 1_000
"""In `minProperties` and `maxProperties`; each counts once for every optional property that may be it."""

MAX_VALUES = 5_000
"""In one `enum`."""

MAX_ALTERNATIVES = 500
"""In one `anyOf` or `oneOf`; those of `allOf` multiply, for it is every choice of one beside another."""

MAX_CHAIN = 64
"""References, and choices of references, that lead to each other with nothing written between them."""

SIZE_KEYWORDS = {
    "minLength": MAX_CHARS,
    "maxLength": MAX_CHARS,
    "minItems": MAX_ITEMS,
    "maxItems": MAX_ITEMS,
    "minProperties": MAX_PROPERTIES,
    "maxProperties": MAX_PROPERTIES,
}

MAP_KEYWORDS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
LIST_KEYWORDS = ("prefixItems", "allOf", "anyOf", "oneOf")
SCHEMA_KEYWORDS = (
    "items", "additionalItems", "unevaluatedItems", "contains",
    "additionalProperties", "unevaluatedProperties", "propertyNames", "not", "if", "then", "else",
)  # fmt: skip
"""Keywords whose value holds schemas: by name, in a list, or one. All others hold data."""

REPETITION = re.compile(r"\{(\d+)(,(\d*))?\}")

Schema = Mapping[str, Any]


class SchemaCostError(ValueError):
    """A schema costs too much or has a broken reference; the message names keyword, path, rule and remedy."""

    def __init__(self, keyword: str, path: str, problem: str) -> None:
        super().__init__(f"'{keyword}' at {path} {problem}")
        self.keyword = keyword


def check_schema_cost(schema: Schema) -> int:
    """Estimate the schema in states. Raises SchemaCostError.

    The schema is nested less deeply than Python's stack (openai_api/request_mapping checks that first).
    """
    checker = ReferenceChecker(schema)
    total = 0
    for node, path in _schemas(schema, "#"):
        checker.check(node, path)
        for keyword, states in _costs(node, path):
            total += states
            if total > MAX_STATES:
                raise SchemaCostError(
                    keyword, path,
                    f"takes the schema to {total:,} states; the most is {MAX_STATES:,}. Ask for less.",
                )  # fmt: skip
    return total


def costliest(schema: Schema) -> str:
    """The most expensive keyword and its path, for the message about a schema that took too long."""
    costs = [
        (states, f"'{keyword}' at {path}")
        for node, path in _schemas(schema, "#")
        for keyword, states in _costs(node, path)
    ]
    return max(costs, key=lambda cost: cost[0])[1]


def pattern_states(pattern: str) -> int:
    """States of a regular expression: its characters, times the repetitions around them.

    Counted up to a little above MAX_PATTERN_STATES. What is no expression at all is for the compiler to
    refuse.
    """
    # One (states so far, states of the latest piece) for each group that is open.
    open_groups, done, latest, at = [], 0, 0, 0
    while at < len(pattern):
        char = pattern[at]
        if char == "(":
            open_groups.append(done + latest)
            done, latest, at = 0, 0, at + 1
        elif char == ")" and open_groups:
            done, latest, at = open_groups.pop(), max(1, done + latest), at + 1
        elif found := REPETITION.match(pattern, at):
            # Saturated: the product of a thousand huge numbers is a number to compute, too.
            latest, at = min(latest * _repetitions(found), MAX_PATTERN_STATES + 1), found.end()
        elif char in "*+?|^$":
            at += 1
        else:
            done, latest, at = done + latest, 1, _end_of_atom(pattern, at)
    return sum(open_groups) + done + latest


def _repetitions(repetition: re.Match[str]) -> int:
    """Digits beyond ten are cut: the number is above every bound either way."""
    least, _, most = repetition.groups()
    return max(1, int(least[:10]), int((most or "0")[:10]))


def _end_of_atom(pattern: str, at: int) -> int:
    """Where the next atom begins: a class in brackets and an escape are one."""
    if pattern[at] == "\\":
        return at + 2
    if pattern[at] != "[":
        return at + 1
    at += 1
    while at < len(pattern) and pattern[at] != "]":
        at += 2 if pattern[at] == "\\" else 1
    return at + 1


def _schemas(node: Any, path: str) -> Iterator[tuple[Schema, str]]:
    """Every subschema with its path as a JSON pointer. Data is passed over: an `enum` may hold what
    looks like a schema."""
    if not isinstance(node, Mapping):
        return
    yield node, path
    for keyword in MAP_KEYWORDS:
        if isinstance(inner := node.get(keyword), Mapping):
            for name, value in inner.items():
                yield from _schemas(value, f"{path}/{keyword}/{_escaped(name)}")
    for keyword in LIST_KEYWORDS:
        if isinstance(inner := node.get(keyword), list):
            for number, value in enumerate(inner):
                yield from _schemas(value, f"{path}/{keyword}/{number}")
    for keyword in SCHEMA_KEYWORDS:
        inner = node.get(keyword)
        if isinstance(inner, list):  # the older form of `prefixItems`
            for number, value in enumerate(inner):
                yield from _schemas(value, f"{path}/{keyword}/{number}")
        else:
            yield from _schemas(inner, f"{path}/{keyword}")


def _costs(node: Schema, path: str) -> Iterator[tuple[str, int]]:
    """(keyword, states) of one schema without those inside. Raises SchemaCostError for a single large one."""
    yield "type", 1
    for keyword, most in SIZE_KEYWORDS.items():
        size = node.get(keyword)
        if isinstance(size, int | float) and not isinstance(size, bool):
            if size > most:
                raise SchemaCostError(keyword, path, f"is {size:,}; the most is {most:,}. Ask for less.")
            yield keyword, _size_states(keyword, max(0, int(size)), node)
    for keyword, pattern in _patterns(node):
        states = pattern_states(pattern)
        if states > MAX_PATTERN_STATES:
            raise SchemaCostError(
                keyword, path,
                "repeats more than its compiler can take: its signs times their repetitions are more than "
                f"{MAX_PATTERN_STATES:,}. Use smaller or fewer repetitions.",
            )  # fmt: skip
        yield keyword, states
    for keyword, most in (("enum", MAX_VALUES), ("anyOf", MAX_ALTERNATIVES), ("oneOf", MAX_ALTERNATIVES)):
        if isinstance(values := node.get(keyword), list):
            if len(values) > most:
                raise SchemaCostError(
                    keyword, path, f"has {len(values):,} values; the most is {most:,}. Leave some out."
                )
            yield keyword, len(values)


def _size_states(keyword: str, size: int, node: Schema) -> int:
    match keyword:
        case "minLength" | "maxLength":
            return size // CHARS_PER_STATE
        case "minProperties" | "maxProperties":
            properties, required = node.get("properties"), node.get("required")
            names = len(properties) if isinstance(properties, Mapping) else 0
            needed = len(required) if isinstance(required, list) else 0
            return size * (1 + max(0, names - needed))
        case _:
            return size


def _patterns(node: Schema) -> Iterator[tuple[str, str]]:
    if isinstance(pattern := node.get("pattern"), str):
        yield "pattern", pattern
    if isinstance(named := node.get("patternProperties"), Mapping):
        for pattern in named:
            yield "patternProperties", pattern


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")[:100]


class ReferenceChecker:
    """Checks `$ref` chains and the alternatives that `allOf`, `anyOf`, `oneOf` and `$ref` multiply to."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._known: dict[int, tuple[int, int]] = {}
        self._open: set[int] = set()

    def check(self, node: Schema, path: str) -> None:
        """Raise SchemaCostError for broken, circular or too long references and for too many alternatives."""
        self._measure(node, path, 0)

    def _measure(self, node: Schema, path: str, depth: int) -> tuple[int, int]:
        """(length of the longest chain, number of alternatives) that begin here."""
        key = id(node)
        if key in self._known:
            return self._known[key]
        if key in self._open:
            raise SchemaCostError(
                "$ref", path,
                "leads back to itself with nothing between: no JSON fits it. Put it under a property.",
            )  # fmt: skip
        if depth > MAX_CHAIN:
            raise _too_long(path)
        self._open.add(key)
        chain, alternatives, culprit = 0, 1, ""
        for keyword, members in self._beside(node, path):
            measured = [self._measure(member, path, depth + 1) for member in members]
            chain = max([chain, *(length + 1 for length, _ in measured)])
            for factor in _factors(keyword, [number for _, number in measured]):
                alternatives = min(alternatives * factor, MAX_ALTERNATIVES + 1)
                culprit = keyword
        self._open.discard(key)
        if chain > MAX_CHAIN:
            raise _too_long(path)
        if alternatives > MAX_ALTERNATIVES:
            raise SchemaCostError(
                culprit, path,
                f"multiplies the choices inside it to more than {MAX_ALTERNATIVES}. Use fewer alternatives.",
            )  # fmt: skip
        self._known[key] = chain, alternatives
        return chain, alternatives

    def _beside(self, node: Schema, path: str) -> Iterator[tuple[str, list[Schema]]]:
        for keyword in ("anyOf", "oneOf", "allOf"):
            if isinstance(members := node.get(keyword), list):
                yield keyword, [member for member in members if isinstance(member, Mapping)]
        if "$ref" in node:
            target = self._target(node["$ref"], path)
            yield "$ref", [target] if isinstance(target, Mapping) else []

    def _target(self, reference: Any, path: str) -> Any:
        """Resolve a JSON pointer into this schema (RFC 6901); other references are not fetched."""
        if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
            raise SchemaCostError(
                "$ref",
                path,
                "leads out of the schema. Put what it names under '$defs', and write '#/$defs/…'.",
            )
        found: Any = self._root
        for step in reference.removeprefix("#").split("/")[1:]:
            name = unquote(step).replace("~1", "/").replace("~0", "~")
            if isinstance(found, list) and name.isascii() and name.isdigit() and int(name[:10]) < len(found):
                found = found[int(name[:10])]
            elif isinstance(found, Mapping) and name in found:
                found = found[name]
            else:
                raise SchemaCostError("$ref", path, f"leads to {reference[:100]!r}, which is not there.")
        return found


def _factors(keyword: str, alternatives: list[int]) -> list[int]:
    """By how much each of these multiplies the alternatives of its schema."""
    if keyword in ("anyOf", "oneOf"):
        return [max(1, sum(alternatives))]
    return alternatives


def _too_long(path: str) -> SchemaCostError:
    return SchemaCostError(
        "$ref", path, f"is followed by more than {MAX_CHAIN} others. Name what it means at once."
    )
