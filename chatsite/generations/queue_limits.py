"""Bounded queue: how many generations may wait or run, for one person and for the site."""

from __future__ import annotations

from django.conf import settings
from django.db import connection

from chatsite.accounts.models import User
from chatsite.errors import Refusal
from chatsite.generations.models import ACTIVE, Generation

SUBMITTERS = 64
"""Submits that may be in their transactions at once and cannot see each other: 8 threads × 8 processes."""

ADVISORY_KEY = 0x726F6F6D
"""The advisory lock's number: "room" in ASCII."""

_COUNT = f"""
SELECT COUNT(CASE WHEN user_id = %s THEN 1 END), COUNT(*),
    (SELECT is_active FROM {User._meta.db_table} WHERE id = %s) FROM {Generation._meta.db_table}
WHERE status IN ({", ".join(f"'{status}'" for status in ACTIVE)}) AND titles_id IS NULL
"""  # noqa: S608 - the names are the model's own  # nosec
"""Plain SQL, since every question asks this: building it anew in the ORM took twenty times as long."""


def check_queue_limits(user: int, most: int | None, retry_after_s: float | None) -> None:
    """Raises Refusal `queue_full` with an honest wait. Call it while the person's balance row is locked.

    Raises `not_found` for an account that was deactivated since the question was checked, which may have
    waited for its turn to be written.

    `most`: this person's places by their plan; None means the site's setting. That lock makes the
    person's count exact. The site's becomes exact by a lock of its own, taken only close to the limit
    (SQLite has one writer and needs none).
    """
    mine, all, active = _count(user)
    if not active:
        raise Refusal("not_found", "This account is not active.")
    if all + SUBMITTERS >= settings.MAX_ACTIVE_GENERATIONS and connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ADVISORY_KEY])
        mine, all, _ = _count(user)
    places = settings.MAX_ACTIVE_PER_USER if most is None else most
    if mine >= places:
        raise Refusal(
            "queue_full",
            f"{places} of your questions are waiting or being answered already. "
            "Wait for one of them or stop one.",
            retry_after_s,
        )
    if all >= settings.MAX_ACTIVE_GENERATIONS:
        raise Refusal(
            "queue_full",
            f"{settings.MAX_ACTIVE_GENERATIONS} questions are waiting or being answered already. "
            "Your text is kept; please try again in a moment.",
            retry_after_s,
        )


def _count(user: int) -> tuple[int, int, bool]:
    """Active generations of this person, and of all; and whether the account is active.

    Titles being made take no place from a question.
    """
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [user, user])
        mine, all, active = cursor.fetchone()
    return mine, all, bool(active)
