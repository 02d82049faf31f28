"""What `/v1` makes of requests that were written for other servers, and says of what it cannot read. Pure.

Clients add fields of their own to messages and parts (`cache_control`, `id`, `reasoning`), and send fields
that they do not use as null. Neither asks for anything: the first are ignored and named in a header, the
second are as if they were not there.
"""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw

from chatsite.openai_api.schemas import ChatTurn, StreamOptions, TextPart

IGNORED_HEADER = "X-Chatsite-Ignored"

MOST_NAMED = 20
"""Fields in the header: a client's dialect has a few, everything else is somebody's joke."""

_NAME = re.compile(r"[\w.-]{1,64}", re.ASCII)
"""What a header can carry of a name."""

_ESCAPE = re.compile(rb"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)
_UTF8_SURROGATE = re.compile(rb"\xed[\xa0-\xbf]")


class _Outline(msgspec.Struct):
    """The places of a request where unknown fields are ignored, unread."""

    messages: list[dict[str, Raw]] = []
    stream_options: dict[str, Raw] | None = None


def ignored_fields(raw: bytes) -> list[str]:
    """The fields of a valid chat request that are not known here, such as `messages[].id`."""
    outline = msgspec.json.decode(raw, type=_Outline)
    found = {
        f"stream_options.{name}" for name in outline.stream_options or () if not _knows(StreamOptions, name)
    }
    for message in outline.messages:
        found |= {f"messages[].{name}" for name in message if not _knows(ChatTurn, name)}
        content = message.get("content")
        if content is not None and bytes(content).lstrip().startswith(b"["):
            for part in msgspec.json.decode(content, type=list[dict[str, Raw]]):
                found |= {f"messages[].content[].{name}" for name in part if not _knows(TextPart, name)}
    return sorted(found)[:MOST_NAMED]


def _knows(schema: type[msgspec.Struct], name: str) -> bool:
    # A name that no header can carry is ignored without a word.
    return name in (*schema.__struct_fields__, schema.__struct_config__.tag_field) or not _NAME.fullmatch(
        name
    )


def without_nulls(raw: bytes) -> bytes:
    """The request without its own fields that are null."""
    fields = msgspec.json.decode(raw, type=dict[str, Raw])
    return msgspec.json.encode(
        {name: value for name, value in fields.items() if bytes(value).strip() != b"null"}
    )


def lone_surrogate(raw: bytes) -> str | None:
    """Half of a surrogate pair that stands alone in this JSON, as a sentence; None where there is none.

    It is no character: no encoding of text has it. Some programs cut texts in the middle of an emoji.
    """
    if found := _UTF8_SURROGATE.search(raw):
        return _sentence(f"bytes {found[0].hex()}", found.start())
    high: re.Match[bytes] | None = None
    for one in _ESCAPE.finditer(raw):
        code = int(one[1], 16) if one[1] else 0
        if high and not (0xDC00 <= code < 0xE000 and one.start() == high.end()):
            break
        if 0xDC00 <= code < 0xE000 and not high:
            high = one
            break
        high = one if 0xD800 <= code < 0xDC00 else None
    return _sentence(high[0].decode(), high.start()) if high else None


def _sentence(shown: str, place: int) -> str:
    return (
        f"The JSON holds half of a surrogate pair ({shown}, at byte {place:,}), which is no character. "
        "A text was cut inside of one, such as an emoji; leave the half out."
    )
