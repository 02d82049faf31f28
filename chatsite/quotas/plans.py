"""Which limits apply to a person, and why: their own plan, their groups' best, or the site's.

`limits_of` reads the plans in force; `effective_limits` decides between them and is pure. Every path that
uses a feature or a model asks `check_feature` or `check_model` for the person it acts for.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from django.db import connection
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from chatsite.errors import Refusal
from chatsite.quotas.limits import ALLOWANCES, FEATURES, LIMIT_NAMES, Feature, Limits, names_in
from chatsite.sql_values import marks

Source = Literal["user", "group", "site"]

_PRECEDENCE: tuple[Source, ...] = ("user", "group", "site")

START_RETRY_S = 5.0
"""An engine that starts takes half a minute; asking every few seconds is enough."""

_CALLED: dict[Feature, str] = {
    "api": "API keys and /v1 are",
    "sharing": "Share links are",
    "attachments": "Attachments are",
    "batch": "Batches are",
    "temporary": "Temporary chats are",
}


@dataclass(frozen=True)
class PlanInForce:
    """A plan that may apply to a person, and where it comes from. `holder`: the group it is for."""

    source: Source
    name: str
    limits: Limits
    holder: str = ""

    @property
    def reason(self) -> str:
        """Why this plan applies, for people: plan and where it comes from."""
        match self.source:
            case "user":
                origin = _("own plan")
            case "group":
                origin = _("group %(name)s") % {"name": self.holder}
            case "site":
                origin = _("site default")
        return f"{self.name} ({origin})"


@dataclass(frozen=True)
class EffectiveLimits(Limits):
    """The limits that apply to a person. `why` names for each the plan that gave it."""

    why: dict[str, str] = field(default_factory=dict)

    @property
    def limited(self) -> bool:
        """Whether there is a token budget at all."""
        return self.tokens_per_day is not None or self.tokens_per_month is not None


UNLIMITED = EffectiveLimits()
"""Where no plan is assigned: nothing is refused for its tokens, and everything is still recorded."""


# Plain SQL, since every question asks this: building it anew in the ORM took ten times as long.
_IN_FORCE = """
SELECT assignment.user_id, member.user_id, team.name, plan.name, {columns}
FROM quotas_planassignment assignment
JOIN quotas_plan plan ON plan.id = assignment.plan_id
LEFT JOIN auth_group team ON team.id = assignment.group_id
LEFT JOIN accounts_user_groups member
    ON member.group_id = assignment.group_id AND member.user_id IN ({people})
WHERE assignment.user_id IN ({people}) OR member.user_id IS NOT NULL
    OR (assignment.user_id IS NULL AND assignment.group_id IS NULL)
"""

_COLUMNS = ", ".join(f"plan.{name}" for name in LIMIT_NAMES)


def limits_of(user_id: int) -> EffectiveLimits:
    """What applies to this person now, and why."""
    return limits_of_each([user_id])[user_id]


def limits_of_each(users: Collection[int]) -> dict[int, EffectiveLimits]:
    """The same for several people, by one query."""
    if not users:
        return {}
    found: dict[int | None, list[PlanRow]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_IN_FORCE.format(columns=_COLUMNS, people=marks(users)), [*users, *users])
        for user, member, team, name, *values in cursor:
            source: Source = "user" if user else "group" if member else "site"
            found.setdefault(user or member, []).append((source, name, team or "", *values))
    everybodys, language = tuple(found.get(None, ())), get_language()
    return {user: _limits_of_rows((*found.get(user, ()), *everybodys), language) for user in users}


PlanRow = tuple[Any, ...]
"""Source, name and holder of a plan in force, and its limits as the database has them."""


@lru_cache(maxsize=256)
def _limits_of_rows(rows: tuple[PlanRow, ...], _language: str | None) -> EffectiveLimits:
    """What these rows come to: most people have the same ones, and each question reads them three times.

    Plans say in the reader's language why they apply.
    """
    return effective_limits(
        [PlanInForce(source, name, _limits(values), holder) for source, name, holder, *values in rows]
    )


def _limits(values: Sequence[Any]) -> Limits:
    """A row's values, in the order of LIMIT_NAMES. SQLite gives numbers for booleans."""
    read = dict(zip(LIMIT_NAMES, values, strict=True))
    allowances = {name: bool(read[name]) for name in ALLOWANCES}
    return Limits(**read | allowances | {"model_names": names_in(read["model_names"])})


def effective_limits(plans: Sequence[PlanInForce]) -> EffectiveLimits:
    """A person's own plan replaces all others; groups' plans replace the site's.

    Among several groups each limit is the most generous of theirs, and models are all of theirs: joining a
    group takes nothing away.
    """
    for source in _PRECEDENCE:
        if ranked := [plan for plan in plans if plan.source == source]:
            return _merge(sorted(ranked, key=lambda plan: (plan.name, plan.holder)))
    return UNLIMITED


def _merge(plans: Sequence[PlanInForce]) -> EffectiveLimits:
    values: dict[str, Any] = {}
    why: dict[str, str] = {}
    for name in LIMIT_NAMES:
        if name == "model_names":
            values[name], why[name] = _models(plans)
            continue
        best = max(plans, key=lambda plan: _generosity(getattr(plan.limits, name)))
        values[name] = getattr(best.limits, name)
        why[name] = best.reason
    return EffectiveLimits(**values, why=why)


def _models(plans: Sequence[PlanInForce]) -> tuple[tuple[str, ...], str]:
    """All that any plan holds, and the plans that hold them; a plan without names holds every model."""
    for plan in plans:
        if not plan.limits.model_names:
            return (), plan.reason
    names = {name for plan in plans for name in plan.limits.model_names}
    return tuple(sorted(names)), ", ".join(plan.reason for plan in plans)


def _generosity(limit: float | None) -> float:
    return float("inf") if limit is None else limit


def check_feature(limits: EffectiveLimits, feature: Feature) -> None:
    """Raises Refusal `not_in_plan` where the person's plan leaves the feature out."""
    if not allows(limits, feature):
        plan = limits.why.get(f"allow_{feature}", "")
        raise Refusal(
            "not_in_plan",
            f"{_CALLED[feature]} not part of plan {plan}. An administrator can give you another plan.",
        )


def check_model(limits: EffectiveLimits, model: str) -> None:
    """Raises Refusal `not_in_plan` where the person's plan leaves the model that would answer out.

    `model` is as the engine names it. Empty, it is not known yet: then `engine_unavailable`, for people whose
    plan names models; nobody else is asked.
    """
    if not limits.model_names or model in limits.model_names:
        return
    plan, names = limits.why.get("model_names", ""), ", ".join(limits.model_names)
    if not model:
        raise Refusal(
            "engine_unavailable",
            f"Which model will answer is known when the engine has started; plan {plan} holds {names} only.",
            START_RETRY_S,
        )
    raise Refusal(
        "not_in_plan",
        f"The model {model} is not part of plan {plan}, which holds {names}. "
        "An administrator can give you another plan.",
    )


def allows(limits: EffectiveLimits, feature: Feature) -> bool:
    """Whether the plan holds the feature."""
    return bool(getattr(limits, f"allow_{feature}"))


def allowed(limits: EffectiveLimits) -> tuple[Feature, ...]:
    """All features that the plan holds."""
    return tuple(feature for feature in FEATURES if allows(limits, feature))
