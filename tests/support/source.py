"""The project's own source, read for tests about it: files, imports, string constants."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("chatsite", "inference")


@cache
def tracked(*suffixes: str) -> tuple[Path, ...]:
    """Every file of the repository with one of these suffixes (all without), vendored code left out."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    paths = (ROOT / name for name in listing.split("\0") if name)
    return tuple(
        path
        for path in paths
        if path.is_file() and "vendor" not in path.parts and (not suffixes or path.suffix in suffixes)
    )


@cache
def modules(*packages: str) -> dict[str, Path]:
    """Dotted name → file of every module of these packages; a package's name stands for its __init__."""
    found = {}
    for path in tracked(".py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[0] in packages:
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(name: str, path: Path) -> Iterator[tuple[str, int]]:
    """Every module that this one imports, anywhere in it, with the line. `from a import b` gives a.b."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join(filter(None, [*above, base]))
            yield from ((f"{base}.{alias.name}", node.lineno) for alias in node.names)


def strings(path: Path) -> Iterator[str]:
    """Every string constant of a module."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
