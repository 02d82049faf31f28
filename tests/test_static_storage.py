"""Static files are compressed once, and large ones cheaply."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
from whitenoise.compress import Compressor

from chatsite.static_storage import LARGE_BYTES, ThriftyCompressor


@pytest.fixture
def compressor() -> ThriftyCompressor:
    return ThriftyCompressor(quiet=True)


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_file_gets_its_twins(tmp_path: Path, compressor: ThriftyCompressor) -> None:
    file = written(tmp_path / "a.js", "let a = 1;\n" * 100)
    assert compressor.compress(str(file)) == [f"{file}.br", f"{file}.gz"]
    assert gzip.decompress((tmp_path / "a.js.gz").read_bytes()) == file.read_bytes()


def test_an_unchanged_file_is_not_compressed_again(
    tmp_path: Path, compressor: ThriftyCompressor, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path / "a.js", "let a = 1;\n" * 100)
    first = compressor.compress(str(file))
    with monkeypatch.context() as patch:
        patch.setattr(Compressor, "compress", lambda *_: pytest.fail("compressed again"))
        assert compressor.compress(str(file)) == first
    written(file, "let a = 2;\n" * 100)
    os.utime(file, (1, 1))
    compressor.compress(str(file))
    assert gzip.decompress((tmp_path / "a.js.gz").read_bytes()) == file.read_bytes()


def test_a_large_file_is_compressed_by_gzip_alone(tmp_path: Path, compressor: ThriftyCompressor) -> None:
    file = written(tmp_path / "large.js", "let a = 1;\n" * (LARGE_BYTES // 10))
    assert compressor.compress(str(file)) == [f"{file}.gz"]
