"""Erased means gone from SQLite's files: the log is emptied, the index merged, the file rebuilt.

Every connection overwrites what it deletes (`secure_delete`, chatsite/settings.py). But pages as they were
stay in the write-ahead log until it is truncated, and a search index keeps deleted terms until it is merged.
Where SQLite moved rows to another page, for others that came or went, copies stay in the gap of the old one
(`rebuildPage` of its btree.c), and deleting the rows overwrites the rows alone: VACUUM leaves no gaps.
PostgreSQL frees what is dead by its own vacuum.
"""

from __future__ import annotations

import logging
from pathlib import Path

from django.conf import settings
from django.db import OperationalError, connection

from chatsite.conversations.search_index import merge_terms
from chatsite.slices import SliceBudget

log = logging.getLogger(__name__)

LOCK_WAIT_MS = 100
"""How long truncating the log may wait for readers, and so hold up writers; it is tried again."""

MERGED_WEIGHT = 50_000
"""Of the index's pages that are rewritten at first in one slice."""

REBUILT_BYTES = 256 * 2**20
"""A database up to this size is rebuilt beside a running site: writers wait, measured 170 MB a second."""

_log_is_due = True  # a process that died may have left something
_index_is_due = False
_rebuild_is_due = False
_budget = SliceBudget(MERGED_WEIGHT)


def note_erased(*, everything: bool = False) -> None:
    """Something was erased: the log is due; with `everything` of a person, index and file are, too."""
    global _log_is_due, _index_is_due, _rebuild_is_due
    _log_is_due = True
    _index_is_due = _index_is_due or everything
    _rebuild_is_due = _rebuild_is_due or everything


def scrub_files() -> int:
    """A slice of what is due after erasures; 0 when there is nothing left to do for now."""
    global _log_is_due, _index_is_due, _rebuild_is_due
    if connection.vendor != "sqlite":
        return 0
    if _index_is_due:
        if pages := _merge_part():
            return pages
        _index_is_due = False
    if _rebuild_is_due:
        _rebuild_is_due = not _rebuild(REBUILT_BYTES)
    if _log_is_due:
        _log_is_due = not truncate_log()
    return 0


def scrub_to_the_end() -> None:
    """All of it, with pauses: for commands that erase, beside a site that may run.

    A person is at hand, so a file of any size is rebuilt where an account was erased; prompts wait meanwhile.
    """
    global _rebuild_is_due
    if _rebuild_is_due and connection.vendor == "sqlite":
        _rebuild_is_due = not _rebuild(None)
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


def _rebuild(limit: int | None) -> bool:
    """Write every row anew, without the gaps that hold copies; False where another writer was in the way."""
    if connection.in_atomic_block:
        return False
    size = Path(str(connection.settings_dict["NAME"])).stat().st_size
    if limit is not None and size > limit:
        log.warning(
            "An account was erased. The database has %d MB: VACUUM it at a quiet hour, since pieces of text"
            " may stand in gaps of its pages until then.",
            size >> 20,
        )
        return True
    try:
        with connection.cursor() as cursor:
            cursor.execute("VACUUM")
    except OperationalError as error:
        if "locked" in str(error):
            return False
        log.warning("An account was erased, and VACUUM of the database failed: %s", error)
    return True


def _merge_part() -> int:
    pages = max(1, _budget.weight // PAGE_BYTES)
    with _budget.transaction(pages * PAGE_BYTES):
        return pages if merge_terms(pages) else 0


PAGE_BYTES = 4096
