"""Which seed failed, where one test tries many: collecting a test for each would cost every run seconds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def of_seed(seed: int) -> Iterator[None]:
    """Whatever is raised within says the seed, as pytest shows a note."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"seed {seed}")
        raise
