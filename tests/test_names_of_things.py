"""One public name, one thing: no two modules of the product define a class or function of the same name.

A reader who searches for a name should land in one place. Names that stand in several modules on purpose are
listed with their reason.
"""

from __future__ import annotations

import ast
from collections import defaultdict

from tests.support.source import PACKAGES, modules, parsed

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef

SAME_ON_PURPOSE = {
    "Announcement": "the banner's row, and the same banner as a frame of the websocket",
    "ChunkChoice": "OpenAI's name: sent by /v1, received from a remote engine",
    "Command": "Django's name for a management command",
    "Migration": "Django's name for a migration",
    "ModelList": "OpenAI's name: sent by /v1, received from a remote engine",
    "dump_database": "one interface, one module for each database",
    "load_database": "one interface, one module for each database",
    "main": "the entry of a process of its own",
    "render": "one interface, one module for each format of an exported conversation",
}
"""Name → why the same word is right in each of its modules."""


def definitions() -> dict[str, list[str]]:
    """Public name → the modules that define a class or function of it at their top level."""
    found = defaultdict(list)
    for module, path in modules(*PACKAGES).items():
        for node in parsed(path).body:
            if isinstance(node, Definition) and not node.name.startswith("_"):
                found[node.name].append(module)
    return found


def shared_names() -> dict[str, list[str]]:
    return {name: places for name, places in definitions().items() if len(set(places)) > 1}


def test_different_things_have_different_names() -> None:
    clashes = {name: places for name, places in shared_names().items() if name not in SAME_ON_PURPOSE}
    assert not clashes, "\n".join(f"{name}: {', '.join(places)}" for name, places in sorted(clashes.items()))


def test_every_name_that_is_the_same_on_purpose_is_shared() -> None:
    assert not SAME_ON_PURPOSE.keys() - shared_names().keys()
