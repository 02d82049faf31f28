"""Erased means gone from SQLite's files: the write-ahead log is emptied, and the search index rewritten.

Every connection overwrites what it deletes (`secure_delete`, chatsite/settings.py). But pages as they were
stay in the write-ahead log until it is truncated, and a search index keeps deleted terms until it is merged.
PostgreSQL frees what is dead by its own vacuum.
"""

from __future__ import annotations

from django.conf import settings
from django.db import connection

from chatsite.conversations.search_index import merge_terms
from chatsite.slices import SliceBudget

LOCK_WAIT_MS = 100
"""How long truncating the log may wait for readers, and so hold up writers; it is tried again."""

MERGED_WEIGHT = 50_000
"""Of the index's pages that are rewritten at first in one slice."""

_log_is_due = True  # a process that died may have left something
_index_is_due = False
_budget = SliceBudget(MERGED_WEIGHT)


def note_erased(*, everything: bool = False) -> None:
    """Something was erased: the log is due; with `everything` of a person, the search index is, too."""
    global _log_is_due, _index_is_due
    _log_is_due = True
    _index_is_due = _index_is_due or everything


def scrub_files() -> int:
    """A slice of what is due after erasures; 0 when there is nothing left to do for now."""
    global _log_is_due, _index_is_due
    if connection.vendor != "sqlite":
        return 0
    if _index_is_due:
        if pages := _merge_part():
            return pages
        _index_is_due = False
    if _log_is_due:
        _log_is_due = not truncate_log()
    return 0


def scrub_to_the_end() -> None:
    """All of it, with pauses: for commands that erase, beside a site that may run."""
    while scrub_files():
        _budget.pause()


def truncate_log() -> bool:
    """Move the write-ahead log into the database file and empty it; False where readers were in the way."""
    if connection.in_atomic_block:
        return False
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")  # the bulk of it, in nobody's way
        cursor.execute(f"PRAGMA busy_timeout = {LOCK_WAIT_MS}")
        try:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return bool(cursor.fetchone()[0] == 0)
        finally:
            usual = settings.DATABASES["default"]["OPTIONS"]["timeout"]
            cursor.execute(f"PRAGMA busy_timeout = {usual * 1000}")


def _merge_part() -> int:
    pages = max(1, _budget.weight // PAGE_BYTES)
    with _budget.transaction(pages * PAGE_BYTES):
        return pages if merge_terms(pages) else 0


PAGE_BYTES = 4096
