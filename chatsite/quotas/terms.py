"""The terms of people, read from the plans in force. One query, however many people.

Plain SQL, since every question asks this: building it anew in the ORM took ten times as long.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from django.db import connection

from chatsite.quotas.models import names_in
from chatsite.quotas.resolution import ALLOWANCES, LIMITS, Candidate, Terms, resolve

_COLUMNS = ", ".join(f"plan.{limit}" for limit in ("name", "weight", "model_names", *LIMITS, *ALLOWANCES))

_IN_FORCE = """
SELECT assignment.user_id, member.user_id, team.name, {columns}
FROM quotas_planassignment assignment
JOIN quotas_plan plan ON plan.id = assignment.plan_id
LEFT JOIN auth_group team ON team.id = assignment.group_id
LEFT JOIN accounts_user_groups member
    ON member.group_id = assignment.group_id AND member.user_id IN ({people})
WHERE assignment.user_id IN ({people}) OR member.user_id IS NOT NULL
    OR (assignment.user_id IS NULL AND assignment.group_id IS NULL)
"""


def terms_of(user_id: int) -> Terms:
    """What applies to this person now, and why."""
    return terms_of_each([user_id])[user_id]


def terms_of_each(users: Collection[int]) -> dict[int, Terms]:
    """The same for several people."""
    if not users:
        return {}
    marks = ", ".join(["%s"] * len(users))
    found: dict[int | None, list[Candidate]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_IN_FORCE.format(columns=_COLUMNS, people=marks), [*users, *users])
        for user, member, team, *plan in cursor:
            found.setdefault(user or member, []).append(_candidate(user, member, team, plan))
    return {user: resolve(found.get(user, []) + found.get(None, [])) for user in users}


def _candidate(user: int | None, member: int | None, team: str | None, plan: Sequence[Any]) -> Candidate:
    name, weight, model_names, *limits = plan
    numbers, allowances = limits[: len(LIMITS)], map(bool, limits[len(LIMITS) :])
    return Candidate(
        source="user" if user else "group" if member else "site",
        name=name,
        holder=team or "",
        weight=weight,
        model_names=names_in(model_names),
        **dict(zip(LIMITS, numbers, strict=True)),
        **dict(zip(ALLOWANCES, allowances, strict=True)),
    )
