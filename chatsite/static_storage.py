"""Where `collectstatic` puts the static files: each beside its compressed twins, made once."""

from __future__ import annotations

import os
from typing import Any

from whitenoise.compress import Compressor
from whitenoise.storage import CompressedStaticFilesStorage

LARGE_BYTES = 1_000_000
"""Brotli takes ten seconds for the largest file, gzip half a second; a start should not wait for it."""

TWINS = (".br", ".gz")


class ThriftyCompressor(Compressor):
    """Compresses what has changed, and large files by gzip alone."""

    def compress(self, path: str) -> list[str]:
        changed_at = os.stat(path).st_mtime
        twins = [path + suffix for suffix in TWINS if os.path.exists(path + suffix)]
        # A twin carries the time of what it was made of.
        if twins and all(os.stat(twin).st_mtime == changed_at for twin in twins):
            return twins
        if self.use_brotli and os.path.getsize(path) > LARGE_BYTES:
            twins = Compressor(use_brotli=False, quiet=True).compress(path)
        else:
            twins = super().compress(path)
        return list(twins)


class StaticStorage(CompressedStaticFilesStorage):
    """WhiteNoise's storage with our compressor."""

    def create_compressor(self, **options: Any) -> Compressor:
        return ThriftyCompressor(**options)
