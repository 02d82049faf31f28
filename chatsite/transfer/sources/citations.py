"""ChatGPT's marks for sources in a text, private-use characters around a kind and ids, as links.

`\\ue200cite\\ue202turn0search1\\ue201` stands in the text; which pages that is, `content_references` says by
`matched_text`. Marks of names and places hold their words themselves.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from chatsite.transfer.report import Reason
from chatsite.transfer.sources.markup import link, picture_place
from chatsite.transfer.sources.values import as_dict, as_list, as_text

_MARK = re.compile("\ue200([^\ue200\ue201\ue202]*)(?:\ue202([^\ue200\ue201]*))?\ue201")
_LEFT = re.compile("[\ue200-\ue20f]")
"""What is left of marks: spans of highlighted text, and marks that never end."""

_OLD = re.compile("【[^【】]*】")


def link_citations(text: str, metadata: dict[str, Any], reasons: set[Reason]) -> str:
    """The text with links instead of marks; a mark whose source is not there goes, and is noted."""
    known = dict(_references(metadata))
    text = _old_marks(text, metadata)
    if known:
        longest_first = sorted(known, key=len, reverse=True)
        text = re.sub("|".join(map(re.escape, longest_first)), lambda found: known[found[0]], text)

    def instead(found: re.Match[str]) -> str:
        words = _own_words(found[1], (found[2] or "").split("\ue202"), reasons)
        if words is None:
            reasons.add(Reason.CITATION)
        return words or ""

    return _LEFT.sub("", _MARK.sub(instead, text))


def _references(metadata: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Each mark with what stands for it."""
    for one in map(as_dict, as_list(metadata.get("content_references"))):
        mark = as_text(one.get("matched_text"))
        if "\ue200" not in mark and not _OLD.fullmatch(mark):
            continue
        if links := list(dict.fromkeys(_links(one))):
            yield mark, f" ({', '.join(links)})"
        elif words := as_text(one.get("alt")) or as_text(one.get("name")):
            yield mark, words
        elif one.get("type") == "hidden":
            yield mark, ""


def _links(reference: dict[str, Any]) -> Iterator[str]:
    """The pages, files and places of a reference; those that support an item follow it."""
    items = [as_dict(item) for item in as_list(reference.get("items"))] or [reference]
    for item in items:
        for page in (item, *map(as_dict, as_list(item.get("supporting_websites")))):
            address = as_text(page.get("url"))
            name = as_text(page.get("title")) or as_text(page.get("attribution")) or as_text(page.get("name"))
            if address:
                yield link(name or address, address)
    if not items[0].get("url"):
        for address in filter(None, map(as_text, as_list(reference.get("safe_urls")))):
            yield link(address, address)


def _old_marks(text: str, metadata: dict[str, Any]) -> str:
    """`【1†source】`, of which `citations` says where it stands."""
    found = []
    for one in map(as_dict, as_list(metadata.get("citations"))):
        start, end, page = one.get("start_ix"), one.get("end_ix"), as_dict(one.get("metadata"))
        if isinstance(start, int) and isinstance(end, int) and _OLD.fullmatch(text[max(0, start) : end]):
            address = as_text(page.get("url"))
            name = as_text(page.get("title")) or as_text(page.get("name"))
            if address or name:
                found.append((start, end, f" ({link(name or address, address)})"))
    for start, end, words in sorted(set(found), reverse=True):
        text = text[:start] + words + text[end:]
    return text


def _own_words(kind: str, parts: list[str], reasons: set[Reason]) -> str | None:
    """What a mark says without a reference; None where that is nothing."""
    if kind == "entity":
        try:
            names = json.loads(parts[0])
        except ValueError:
            return None
        return next(filter(None, map(as_text, as_list(names)[1:])), None)
    if kind == "url":
        return link(parts[0], parts[1] if len(parts) > 1 else parts[0])
    if kind in ("i", "image", "image_group"):
        reasons.add(Reason.PICTURE)
        return picture_place()
    if kind == "navlist":
        return parts[0]
    return None
