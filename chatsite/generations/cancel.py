"""Cancel: a wish noted on the row. The inference process stops the work and writes the end."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet

from chatsite.accounts.keys import do_revoke_key, keys_of
from chatsite.accounts.models import ApiKey
from chatsite.database import lock_in_order
from chatsite.generations.access import access_generation
from chatsite.generations.models import ACTIVE, Generation
from chatsite.sql_values import moment_key, uuid_of


def do_cancel(user_id: int, generation: UUID) -> bool:
    """Note that this generation shall stop; False where it had ended already. Raises Refusal `not_found`."""
    access_generation(user_id, generation)
    return bool(Generation.objects.filter(id=generation, status__in=ACTIVE).update(cancel_requested=True))


def do_cancel_any(generation: UUID) -> Generation | None:
    """Note that anybody's generation shall stop, for an administrator; None where it had ended already."""
    rows = Generation.objects.filter(id=generation, status__in=ACTIVE)
    job = rows.select_related("user").first()
    return job if rows.update(cancel_requested=True) else None


def do_revoke_key_and_stop(key: UUID) -> list[UUID]:
    """Revoke an API key and stop what it has waiting or running; returns which ones, to notify the worker.

    Generations before the key, as whoever ends an answer locks them. One that is submitted between the two is
    stopped by the inference process, as those of expired keys are (`pending_stops`).
    """
    with transaction.atomic():
        found = do_stop(Generation.objects.filter(api_key_id=key))
        do_revoke_key(key)
    return found


def do_revoke_keys_and_stop(owner_id: int) -> list[UUID]:
    """Revoke all keys of this person, as `do_revoke_key_and_stop` does one."""
    keys = list(keys_of(owner_id).values_list("id", flat=True))
    with transaction.atomic():
        found = do_stop(Generation.objects.filter(api_key_id__in=keys))
        for key in keys:
            do_revoke_key(key)
    return found


def do_stop(rows: QuerySet[Generation]) -> list[UUID]:
    """Note that the active ones of these shall stop; returns which ones, to notify the worker."""
    with transaction.atomic():
        found = lock_in_order(rows.filter(status__in=ACTIVE))
        Generation.objects.filter(id__in=found).update(cancel_requested=True)
    return found


_STOPS = f"""
SELECT job.id FROM {Generation._meta.db_table} job
LEFT JOIN {ApiKey._meta.db_table} allowed ON allowed.id = job.api_key_id
WHERE job.status IN ({", ".join(f"'{status}'" for status in ACTIVE)})
    AND (job.cancel_requested OR allowed.expires_at <= %s OR allowed.revoked_at IS NOT NULL)
"""  # noqa: S608 - the names are the models' own  # nosec
"""Plain SQL, since every question's wakeup asks this."""


def pending_stops(now: datetime) -> list[UUID]:
    """Active generations that shall stop: somebody wished so, or their key lets nobody in any more."""
    with connection.cursor() as cursor:
        cursor.execute(_STOPS, [moment_key(now)])
        return [uuid_of(id) for (id,) in cursor]
