"""Bulk writes in slices: their size follows the measured time, and between them the writer is everybody's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from chatsite import slices
from chatsite.database import close_threads, write, writes_wait
from chatsite.slices import LEAST_WEIGHT, MOST_WEIGHT, SLICE_S, SliceBudget, SliceWriter

pytestmark = pytest.mark.django_db


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands still unless a test moves it; pauses take no time."""
    now = [0.0]
    monkeypatch.setattr(slices, "monotonic", lambda: now[0])
    monkeypatch.setattr(slices, "sleep", lambda seconds: None)
    return now


def one(budget: SliceBudget, clock: list[float], weight: int, took: float) -> int:
    with budget.transaction(weight):
        assert connection.in_atomic_block
        clock[0] += took
    return budget.weight


@pytest.mark.parametrize("cost", [1e-7, 1e-6, 1e-5])
def test_slices_come_to_take_the_time_they_may(clock: list[float], cost: float) -> None:
    """Of a disk that writes a character in `cost` seconds, whatever the first slice was."""
    budget = SliceBudget()
    for _ in range(40):
        took = budget.weight * cost
        one(budget, clock, budget.weight, took)
    assert budget.weight in (LEAST_WEIGHT, MOST_WEIGHT) or SLICE_S / 4 < budget.weight * cost <= SLICE_S


def test_a_stall_makes_slices_smaller_for_a_while_only(clock: list[float]) -> None:
    budget = SliceBudget(10 * LEAST_WEIGHT)
    before = one(budget, clock, budget.weight, SLICE_S * 0.8)
    assert one(budget, clock, budget.weight, 100 * SLICE_S) == max(LEAST_WEIGHT, before // 4)
    for _ in range(10):
        one(budget, clock, budget.weight, 0.0)
    assert budget.weight > before


def test_the_last_small_slice_says_nothing_of_large_ones(clock: list[float]) -> None:
    budget = SliceBudget()
    before = budget.weight
    assert one(budget, clock, 1, 0.0) == before


def test_items_are_written_in_order_each_once_and_none_over_the_budget(clock: list[float]) -> None:
    written: list[list[int]] = []
    writer: SliceWriter[int] = SliceWriter(lambda some: written.append(list(some)), SliceBudget(100))
    sizes = [1, 60, 60, 250, 10, 10, 10]
    for number, size in enumerate(sizes):
        writer.add(number, size)
        clock[0] += 1
    writer.flush()
    writer.flush()
    assert [number for some in written for number in some] == list(range(len(sizes)))
    assert [3] in written, "what is larger than a slice is one by itself"


@pytest.fixture
def threads() -> Iterator[None]:
    yield
    close_threads()


@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="PostgreSQL has more than one writer")
@pytest.mark.usefixtures("threads")
def test_bulk_writers_see_that_writes_wait(settings, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    assert not writes_wait()

    async def ask() -> list[bool]:
        return await asyncio.gather(*(write(writes_wait) for _ in range(3)))

    assert asyncio.run(ask()) == [True] * 3
    assert not writes_wait()
    settings.DATA_DIR = tmp_path / "missing"
    assert not writes_wait()


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="PostgreSQL keeps its log apart from its tables")
def test_no_slice_copies_the_log_into_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the log is, its commit does not: the pause after it does, and nobody's question."""
    monkeypatch.setattr(slices, "sleep", lambda seconds: None)
    budget = SliceBudget()
    file, size = Path(connection.settings_dict["NAME"]), 8 * 4096 * slices.CHECKPOINT_PAGES
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        before = file.stat().st_size
        cursor.execute("CREATE TABLE filled (text)")
        with budget.transaction(1):
            assert cursor.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)
            cursor.execute("INSERT INTO filled VALUES (randomblob(?))", [size])
        assert cursor.execute("PRAGMA wal_autocheckpoint").fetchone() == (slices.CHECKPOINT_PAGES,)
        pages, page_size = (
            cursor.execute(f"PRAGMA {one}").fetchone()[0] for one in ("page_count", "page_size")
        )
        assert file.stat().st_size == before < pages * page_size
        budget.pause()
        assert file.stat().st_size == pages * page_size
        cursor.execute("DROP TABLE filled")


@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="the index of FTS5, which is SQLite's")
def test_the_index_is_not_merged_all_at_once() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT v FROM conversations_searchterms_config WHERE k = 'crisismerge'")
        assert cursor.fetchone() == (200,)
