"""docs/protocol.md, made from the schemas that validate the wire: `python -m chatsite.streaming.describe`."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, get_args

import msgspec

from chatsite.attachments.chosen import AttachmentChoice
from chatsite.quotas.budgets import Budget
from chatsite.streaming import frames
from inference.request import Usage

TARGET = Path(__file__).resolve().parent.parent.parent / "docs" / "protocol.md"

INTRODUCTION = """\
# The wire, version {version}

Made from `chatsite/streaming/frames.py` by `python -m chatsite.streaming.describe`; a test holds the
two together.

A websocket at `/ws/chat/`, authenticated by the session cookie, refused for foreign origins. Every
frame is one JSON object in one text message, `{{"type": …}}` with the fields below; ids are UUIDs;
times are seconds. A frame with an unknown field is refused. The first frame from the server is `hello`.

**Streams.** An answer is a stream of `delta` frames with growing `seq`. A client keeps the text and the
last `seq` of each stream; after a reconnect it sends `follow` with that `seq` and gets what came after
it: nothing missing, nothing twice. It drops a delta whose `seq` it has. `snapshot` replaces the text.
Of a long answer the snapshot is the beginning, and deltas follow it. `finished` ends the stream, after the
answer is stored. The sender of a submit follows its stream without asking. A stream pauses when
{window:,} characters are not acknowledged; `follow` with the current `seq` acknowledges. Text also waits
while the network takes nothing: all streams of a socket share that, so an unread one holds one frame.

**Once.** A submit whose `accepted` never came is sent again with the same `id`: the same id is the same
generation.

**Close codes.** 4401: nobody is signed in, or no longer (at once; an expired session within 20 s). 4403: the
account was closed. 4429: too many sockets, or a flood of frames (more than {rate} a second, {burst} at
once). 1007: invalid UTF-8. 1009: a message over 1 MiB; none from the server is.
The client keeps the draft in all cases.

**Codes** of `rejected` and `error`: {codes}.
"""


def describe() -> str:
    """The whole document."""
    from chatsite.streaming.consumer import FRAMES_AT_ONCE, FRAMES_PER_S
    from chatsite.streaming.follower import WINDOW_CHARS

    head = INTRODUCTION.format(
        version=frames.VERSION,
        window=WINDOW_CHARS,
        rate=FRAMES_PER_S,
        burst=FRAMES_AT_ONCE,
        codes=", ".join(f"`{code}`" for code in get_args(frames.Code)),
    )
    parts = [head, "## Client → server\n", *map(_frame, get_args(frames.ClientFrames))]
    parts += ["## Server → client\n", *map(_frame, get_args(frames.ServerFrames))]
    parts += [
        "## Parts of frames\n",
        *map(
            _part,
            (
                frames.Params,
                AttachmentChoice,
                frames.EngineStatus,
                frames.Active,
                frames.Announcement,
                Usage,
                Budget,
            ),
        ),
    ]
    return "\n".join(parts)


def _frame(kind: Any) -> str:
    return f"### `{kind.__struct_config__.tag}`\n\n{_body(kind)}"


def _part(kind: Any) -> str:
    return f"### {kind.__name__}\n\n{_body(kind)}"


def _body(kind: type[msgspec.Struct]) -> str:
    text = inspect.cleandoc(kind.__doc__ or "")
    fields = msgspec.structs.fields(kind)
    if not fields:
        return text + "\n"
    rows = ["| field | type | |", "|---|---|---|"]
    rows += [
        f"| `{f.encode_name}` | {_type(f.type)} | {'required' if f.required else 'optional'} |"
        for f in fields
    ]
    return text + "\n\n" + "\n".join(rows) + "\n"


def _type(hint: Any) -> str:
    """The schema's own words for a type."""
    schema = msgspec.json.schema_components([hint])[0][0]
    return _words(schema)


def _words(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_words(one) for one in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if schema.get("type") == "array":
        return f"list of {_words(schema.get('items', {}))}"
    words = str(schema.get("format") or schema.get("type", "any"))
    bounds = {"minimum": "≥", "maximum": "≤", "exclusiveMinimum": ">", "exclusiveMaximum": "<"}
    return words + "".join(f" {sign} {schema[key]}" for key, sign in bounds.items() if key in schema)


if __name__ == "__main__":
    import os

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
    django.setup()
    TARGET.write_text(describe(), encoding="utf-8")
