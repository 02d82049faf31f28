"""TypeScript declarations of the wire and the API, for the page's type check: `python -m tools.page_types`.

Made from the msgspec schemas that validate what comes in and the TypedDicts to which mypy holds what goes
out, so that a field renamed on the server is a type error in the page (`make page`). No browser loads them.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import types
import typing
from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import msgspec

from chatsite.streaming import frames
from inference.request import FinishReason

ROOT = Path(__file__).resolve().parent.parent
TYPES = ROOT / "types"

HEAD = "// Made from {source} by `python -m tools.page_types`; a test holds them together.\n"

SCALARS: dict[Any, str] = {
    str: "string",
    UUID: "string",
    datetime: "string",
    date: "string",
    bool: "boolean",
    int: "number",
    float: "number",
    type(None): "null",
    None: "null",
    Any: "any",
}

ALIASES: dict[str, Any] = {"Code": frames.Code, "FinishReason": FinishReason}
"""Literals with a name of their own."""

LINE = 100
"""Longer unions are broken, one member a line."""


def type_of(hint: Any, namespace: str) -> str:
    """A Python type as TypeScript writes it; a schema by its name, in the namespace where it is declared."""
    origin, parts = get_origin(hint), get_args(hint)
    if hint in SCALARS:
        return SCALARS[hint]
    if named := next((name for name, one in ALIASES.items() if one == hint), None):
        return named if namespace == "Wire" else f"Wire.{named}"
    if origin is Annotated:
        schema = next((one for one in parts[1:] if is_shape(one) or get_origin(one) is Literal), None)
        return type_of(schema or parts[0], namespace)
    if origin is NotRequired:
        return type_of(parts[0], namespace)
    if origin is Literal:
        return " | ".join(f'"{one}"' if isinstance(one, str) else str(one) for one in parts)
    if origin in (Union, types.UnionType):
        return " | ".join(type_of(one, namespace) for one in parts)
    if origin in (list, tuple):
        inner = type_of(parts[0], namespace)
        return f"({inner})[]" if " " in inner else f"{inner}[]"
    if origin is dict:
        return f"Record<{type_of(parts[0], namespace)}, {type_of(parts[1], namespace)}>"
    if is_shape(hint):
        home = namespace_of(hint)
        return hint.__name__ if home == namespace else f"{home}.{hint.__name__}"
    raise TypeError(f"{hint!r}: no TypeScript for it yet; teach tools.page_types.type_of")


def is_shape(hint: Any) -> bool:
    return isinstance(hint, type) and (issubclass(hint, msgspec.Struct) or typing.is_typeddict(hint))


def namespace_of(kind: type) -> str:
    return "Api" if kind.__module__.startswith("chatsite.api.") else "Wire"


def declaration(kind: type, namespace: str) -> str:
    """One interface."""
    hints = get_type_hints(kind, include_extras=True)
    lines = []
    tag = getattr(getattr(kind, "__struct_config__", None), "tag", None)
    if tag:
        lines.append(f'  type: "{tag}";')
    optional = optional_fields(kind)
    for name, hint in hints.items():
        text = type_of(hint, namespace)
        lines.append(f"  {name}{'?' if name in optional else ''}: {text};")
    return f"{comment(kind)}interface {kind.__name__} {{\n" + "\n".join(lines) + "\n}\n"


def optional_fields(kind: type) -> set[str]:
    """Fields that may be missing: a default takes their place, or they are not sent."""
    if typing.is_typeddict(kind):
        hints = get_type_hints(kind, include_extras=True)
        return {name for name, hint in hints.items() if get_origin(hint) is NotRequired}
    config = kind.__struct_config__  # type: ignore[attr-defined]
    if not (config.forbid_unknown_fields or config.omit_defaults):
        return set()
    return {field.name for field in msgspec.structs.fields(kind) if not field.required}


def comment(kind: type) -> str:
    text = inspect.cleandoc(kind.__doc__ or "").split("\n\n", 1)[0].replace("\n", " ")
    return f"/** {text} */\n" if text else ""


def alias(name: str, members: Iterable[str]) -> str:
    parts = list(members)
    line = f"type {name} = {' | '.join(parts)};\n"
    if len(line) <= LINE:
        return line
    return f"type {name} =\n" + "\n".join(f"  | {one}" for one in parts) + ";\n"


def namespace(name: str, source: str, declarations: Iterable[str]) -> str:
    body = "\n".join(declarations)
    indented = "\n".join(f"  {line}" if line else "" for line in body.rstrip("\n").split("\n"))
    return HEAD.format(source=source) + f"\ndeclare namespace {name} {{\n{indented}\n}}\n"


def shapes_in(kinds: Iterable[Any]) -> list[type]:
    """The schemas and every other one of the same namespace that their fields name, each once."""
    found: dict[type, None] = {}

    def add(hint: Any) -> None:
        if is_shape(hint):
            if hint in found:
                return
            found[hint] = None
            for field in get_type_hints(hint, include_extras=True).values():
                add(field)
        for part in (*get_args(hint), *getattr(hint, "__metadata__", ())):
            add(part)

    for kind in kinds:
        add(kind)
    return list(found)


def wire() -> str:
    """Frames of the websocket, as the global namespace `Wire`."""
    client, server = get_args(frames.ClientFrames), get_args(frames.ServerFrames)
    return namespace(
        "Wire",
        "chatsite/streaming/frames.py",
        [
            *(alias(name, [f'"{one}"' for one in get_args(hint)]) for name, hint in ALIASES.items()),
            alias("ClientFrame", [kind.__name__ for kind in client]),
            alias("ServerFrame", [kind.__name__ for kind in server]),
            *(declaration(kind, "Wire") for kind in shapes_in([*client, *server])),
        ],
    )


def api() -> str:
    """What the page sends to and gets from the API, as the global namespace `Api`."""
    import chatsite.api

    modules = [
        importlib.import_module(f"chatsite.api.{one.name}")
        for one in pkgutil.iter_modules(chatsite.api.__path__)
    ]
    kinds = [
        kind
        for module in modules
        for kind in vars(module).values()
        if is_shape(kind) and kind.__module__ == module.__name__
    ]
    mine = [kind for kind in shapes_in(kinds) if namespace_of(kind) == "Api"]
    names = [kind.__name__ for kind in mine]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise TypeError(f"{', '.join(sorted(twice))}: two schemas of the API have this name; rename one")
    return namespace("Api", "chatsite/api", [declaration(kind, "Api") for kind in mine])


FILES = {"wire.d.ts": wire, "api.d.ts": api}


def main() -> None:
    TYPES.mkdir(exist_ok=True)
    for name, make in FILES.items():
        (TYPES / name).write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    import os

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
    django.setup()
    main()
