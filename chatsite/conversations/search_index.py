"""The index of terms: SQLite's FTS5 or a PostgreSQL tsvector under GIN, behind four functions.

Every term carries its owner's id before it, so that a query walks this person's own lists and no
others: what the rest of the site wrote costs nothing (docs/decisions/0040-search-terms.md).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic

from django.db import OperationalError, connection, transaction
from django.utils.translation import gettext as _

from chatsite.conversations.search_terms import SearchQuery
from chatsite.errors import Refusal

CREATE = {
    "sqlite": [
        # The ASCII tokenizer keeps every other character, so that terms stay as they were cut; without
        # positions (detail=none) the index is a third of its size.
        """CREATE VIRTUAL TABLE conversations_searchterms
           USING fts5(terms, detail=none, tokenize="ascii")""",
        # However an entry goes (a purge, an account's end), its terms go with it.
        """CREATE TRIGGER conversations_searchentry_gone AFTER DELETE ON conversations_searchentry
           BEGIN DELETE FROM conversations_searchterms WHERE rowid = old.id; END""",
    ],
    "postgresql": [
        "ALTER TABLE conversations_searchentry ADD COLUMN terms tsvector",
        "CREATE INDEX conversations_searchentry_terms ON conversations_searchentry USING gin (terms)",
    ],
}

DROP = {
    "sqlite": [
        "DROP TRIGGER conversations_searchentry_gone",
        "DROP TABLE conversations_searchterms",
    ],
    "postgresql": ["ALTER TABLE conversations_searchentry DROP COLUMN terms"],
}


_FIND = {
    "sqlite": """SELECT rowid FROM conversations_searchterms
        WHERE conversations_searchterms MATCH %s AND rowid < %s ORDER BY rowid DESC LIMIT %s""",
    # Materialised, or the planner walks the whole table backwards in the hope of early hits.
    "postgresql": """WITH found AS MATERIALIZED
        (SELECT id FROM conversations_searchentry WHERE terms @@ %s::tsquery)
        SELECT id FROM found WHERE id < %s ORDER BY id DESC LIMIT %s""",
}

LAST = 2**63 - 1
"""Above every id."""


def write_terms(entries: Iterable[tuple[int, int, Collection[str]]]) -> None:
    """Store the terms of entries that were just made, as (entry, owner, terms), in one statement."""
    owned = [(entry, [_owned(owner, term) for term in terms]) for entry, owner, terms in entries]
    with connection.cursor() as cursor:
        if not owned:
            return
        if connection.vendor == "sqlite":
            cursor.executemany(
                "INSERT INTO conversations_searchterms(rowid, terms) VALUES (%s, %s)",
                [(entry, " ".join(terms)) for entry, terms in owned],
            )
        else:
            cursor.executemany(
                "UPDATE conversations_searchentry SET terms = array_to_tsvector(%s) WHERE id = %s",
                [(terms, entry) for entry, terms in owned],
            )


def find_entries(owner: int, query: SearchQuery, before: int | None, count: int) -> Sequence[int]:
    """Ids of this owner's entries that have all terms of the query, newest first."""
    exact = [_owned(owner, term) for term in query.exact]
    prefixes = [_owned(owner, term) for term in query.prefixes]
    if connection.vendor == "sqlite":
        match = " AND ".join([f'"{term}"' for term in exact] + [f'"{term}"*' for term in prefixes])
    else:
        match = " & ".join([f"'{term}'" for term in exact] + [f"'{term}':*" for term in prefixes])
    with connection.cursor() as cursor:
        cursor.execute(_FIND[connection.vendor], [match, LAST if before is None else before, count])
        return [row[0] for row in cursor]


INTERRUPTED = {"SQLITE_INTERRUPT", "57014"}
"""A statement that was ended from outside, by SQLite's name for the error and PostgreSQL's SQLSTATE."""

STEPS = 10_000
"""Steps of SQLite's machine between two looks at the clock: less than a millisecond."""


@contextmanager
def statement_limit(seconds: float) -> Iterator[None]:
    """Ends statements inside that take longer. Raises Refusal `busy` then."""
    try:
        if connection.vendor == "sqlite":
            connection.ensure_connection()
            ends = monotonic() + seconds
            connection.connection.set_progress_handler(lambda: monotonic() > ends, STEPS)
            try:
                yield
            finally:
                connection.connection.set_progress_handler(None, 0)
        else:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{seconds * 1000:.0f}"])
                yield
    except OperationalError as error:
        cause = error.__cause__
        if not {getattr(cause, "sqlite_errorname", ""), getattr(cause, "sqlstate", "")} & INTERRUPTED:
            raise
        raise Refusal("busy", _("This search takes too long. Search for more of a word.")) from error


def merge_terms(pages: int) -> bool:
    """Rewrite about so many pages of SQLite's index, without what was deleted; False where all is merged."""
    changes = connection.connection.total_changes
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO conversations_searchterms(conversations_searchterms, rank) VALUES ('merge', %s)",
            [-pages],
        )
    # As FTS5's documentation says: fewer than two changes are the command's own.
    return bool(connection.connection.total_changes - changes >= 2)


def _owned(owner: int, term: str) -> str:
    """Digits end at the x, so that no owner's term is another's. Terms hold letters and digits only."""
    return f"{owner}x{term}"
