"""The terms of people, read from the plans in force. One query, however many people."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db.models import F, Q

from chatsite.quotas.models import PlanAssignment
from chatsite.quotas.resolution import LIMITS, Candidate, Terms, resolve

_PLAN_LIMITS = tuple(f"plan__{limit}" for limit in LIMITS)


def terms_of(user_id: int) -> Terms:
    """What applies to this person now, and why."""
    return terms_of_each([user_id])[user_id]


def terms_of_each(users: Collection[int]) -> dict[int, Terms]:
    """The same for several people."""
    rows = (
        PlanAssignment.objects.annotate(member=F("group__user"))
        .filter(Q(member__in=users) | Q(user__in=users) | Q(user=None, group=None))
        .values(
            "user", "member", "group__name", "plan__name", "plan__weight", *(f"plan__{x}" for x in LIMITS)
        )
    )
    found: dict[int | None, list[Candidate]] = {}
    for row in rows:
        found.setdefault(row["user"] or row["member"], []).append(_candidate(row))
    return {user: resolve(found.get(user, []) + found.get(None, [])) for user in users}


def _candidate(row: dict[str, Any]) -> Candidate:
    return Candidate(
        source="user" if row["user"] else "group" if row["member"] else "site",
        name=row["plan__name"],
        holder=row["group__name"] or "",
        weight=row["plan__weight"],
        **{limit: row[f"plan__{limit}"] for limit in LIMITS},
    )
