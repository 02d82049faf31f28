"""Values that nobody means, and every route of the site that could be given them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

TEXTS = (
    "", "²", "٣", "-1", "1e999", "NaN", "9" * 19, "5" * 5_000, "\x00", "a\x00b", "\ufffe", "0001-01-01",
    "9999-12-31", "2026-02-31", "T" * 3_000, "[]", "%00", "'\"<>{{}}",
    "0~9999-12-31T23:59:59-14:00~" + "0" * 32,
)  # fmt: skip
"""Digits that are none, too many of them, dates at the ends of time, signs that PostgreSQL does not store."""

JSON_VALUES = (
    "null", "true", "-1", "0.5", "1e400", "9223372036854775808", "5" * 5_000, '""', '"\\u00b2"', '"\\u0000"',
    '"\\ud800"', '"0001-01-01T00:00:00+14:00"', '"9999-12-31T23:59:59-14:00"', "[]", "{}", "[[]]",
    '["\\u0000"]', '{"id": 1}', '"' + "x" * 70_000 + '"',
)  # fmt: skip

BODIES = (
    b"", b"{", b"null", b"[]", b"1", b'"x"', b"\xff\xfe", b"{}", b'{"id": 1}', b"[" * 100_000, b'{"": NaN}',
    b'{"id": ' + b"9" * 5_000 + b"}",
)  # fmt: skip
"""Whole bodies that are no request."""

QUERY_NAMES = (
    "q", "p", "o", "all", "before", "offset", "since", "until", "by", "folder", "archived", "leaf", "format",
    "next", "_to_field", "_popup", "_changelist_filters", "at__year", "at__month", "at__day", "id",
    "term", "app_label", "model_name", "field_name", "process", "code", "state", "role", "action",
)  # fmt: skip
"""What the site's own views, the console and allauth read behind a `?`."""

_ARGUMENT = re.compile(r"<(?:(\w+):)?(\w+)>")
_GROUP = re.compile(r"\(\?P<(\w+)>[^)]*\)")


def routes(patterns: Any = None, before: str = "") -> Iterator[tuple[str, URLPattern]]:
    """Every route, as (its path with <kind:name> in it, its pattern)."""
    for one in get_resolver().url_patterns if patterns is None else patterns:
        part = _GROUP.sub(r"<str:\1>", str(one.pattern)).strip("^$").replace("\\Z", "").replace("\\", "")
        if isinstance(one, URLResolver):
            yield from routes(one.url_patterns, before + part)
        else:
            yield before + part, one


def filled(route: str, arguments: dict[str, object]) -> str:
    """An address of this route. `arguments` go by name, or by kind where no name is given."""

    def value(match: re.Match[str]) -> str:
        kind, name = match[1] or "str", match[2]
        return str(arguments.get(name, arguments[kind]))

    return "/" + _ARGUMENT.sub(value, route)


def form_fields(html: str) -> dict[str, str]:
    """The names of a page's form fields, each with the value that it has."""
    found: dict[str, str] = {}
    for tag in re.findall(r"<(?:input|select|textarea|button)\b[^>]*>", html):
        name, value = (re.search(rf'\b{attribute}="([^"]*)"', tag) for attribute in ("name", "value"))
        if name and name[1] != "csrfmiddlewaretoken":
            found.setdefault(unescape(name[1]), unescape(value[1]) if value else "")
    return found
