"""Static files get compressed copies, large ones cheaply."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from chatsite.server.static_storage import LARGE_BYTES, QuickCompressor


@pytest.fixture
def compressor() -> QuickCompressor:
    return QuickCompressor(quiet=True)


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_file_gets_its_twins(tmp_path: Path, compressor: QuickCompressor) -> None:
    file = written(tmp_path / "a.js", "let a = 1;\n" * 100)
    assert compressor.compress(str(file)) == [f"{file}.br", f"{file}.gz"]
    assert gzip.decompress((tmp_path / "a.js.gz").read_bytes()) == file.read_bytes()


def test_a_large_file_is_compressed_by_gzip_alone(tmp_path: Path, compressor: QuickCompressor) -> None:
    file = written(tmp_path / "large.js", "let a = 1;\n" * (LARGE_BYTES // 10))
    assert compressor.compress(str(file)) == [f"{file}.gz"]
