"""The static files' build hash: it stands in their address, so they may be cached for ever."""

from __future__ import annotations

import hashlib
from functools import cache

from chatsite.environment import BASE_DIR


@cache
def build_hash() -> str:
    """Twelve hex digits over names, sizes and contents of everything under static/."""
    digest = hashlib.sha256()
    root = BASE_DIR / "static"
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        digest.update(str(path.relative_to(root)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
