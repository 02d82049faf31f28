"""Storage of `collectstatic`: writes each static file with compressed copies."""

from __future__ import annotations

import os
from typing import Any

from whitenoise.compress import Compressor
from whitenoise.storage import CompressedStaticFilesStorage

LARGE_BYTES = 1_000_000
"""Larger files get gzip only: Brotli takes ten seconds for the largest one, gzip half a second."""


class QuickCompressor(Compressor):
    """Compresses large files by gzip only."""

    def compress(self, path: str) -> list[str]:
        if self.use_brotli and os.path.getsize(path) > LARGE_BYTES:
            return list(Compressor(use_brotli=False, quiet=True).compress(path))
        return list(super().compress(path))


class StaticStorage(CompressedStaticFilesStorage):
    """WhiteNoise's storage with the quick compressor."""

    def create_compressor(self, **options: Any) -> Compressor:
        return QuickCompressor(**options)
