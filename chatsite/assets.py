"""The static files' build hash: it stands in their address, so they may be cached for ever."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import allauth
import django

from chatsite.environment import BASE_DIR

MARKER = ".collected"
"""File in the static root that names the build that was collected there."""


@cache
def build_hash() -> str:
    """Twelve hex digits over the names and contents of static/, and the versions of what adds files to it."""
    digest = hashlib.sha256(f"{django.__version__} {allauth.__version__}".encode())
    root = BASE_DIR / "static"
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        digest.update(str(path.relative_to(root)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def is_collected(root: Path) -> bool:
    """Whether `collectstatic` has been here with these very files. Compressing them takes seconds."""
    marker = root / MARKER
    return marker.is_file() and marker.read_text() == build_hash()


def mark_collected(root: Path) -> None:
    """Remember that `root` holds these files, whole."""
    (root / MARKER).write_text(build_hash())
