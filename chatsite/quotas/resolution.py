"""What applies to a person, and why: their own plan, their groups' best, or the site's. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from django.utils.translation import gettext as _

from chatsite.quotas.features import FEATURES

Source = Literal["user", "group", "site"]

LIMITS = (
    "tokens_per_day",
    "tokens_per_month",
    "requests_per_minute",
    "max_running",
    "max_active",
    "max_context",
    "max_output",
)
"""Fields of a plan where None is "no limit", and more is more generous."""

ALLOWANCES = tuple(f"allow_{feature}" for feature in FEATURES)
"""Fields of a plan that say whether a feature is part of it."""

_PRECEDENCE: tuple[Source, ...] = ("user", "group", "site")


@dataclass(frozen=True)
class Candidate:
    """A plan that could apply. `name` is the plan's, `holder` the group's where it is a group's."""

    source: Source
    name: str
    holder: str = ""
    tokens_per_day: int | None = None
    tokens_per_month: int | None = None
    requests_per_minute: int | None = None
    max_running: int | None = None
    max_active: int | None = None
    max_context: int | None = None
    max_output: int | None = None
    allow_api: bool = True
    allow_sharing: bool = True
    allow_attachments: bool = True
    allow_batch: bool = True
    allow_temporary: bool = True
    model_names: tuple[str, ...] = ()
    weight: float = 1.0

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
class Terms:
    """What applies. None is "no limit", and no name of a model is "every model".

    `why` names for each field the plan that gave it.
    """

    tokens_per_day: int | None = None
    tokens_per_month: int | None = None
    requests_per_minute: int | None = None
    max_running: int | None = None
    max_active: int | None = None
    max_context: int | None = None
    max_output: int | None = None
    allow_api: bool = True
    allow_sharing: bool = True
    allow_attachments: bool = True
    allow_batch: bool = True
    allow_temporary: bool = True
    model_names: tuple[str, ...] = ()
    weight: float = 1.0
    why: dict[str, str] = field(default_factory=dict)

    @property
    def limited(self) -> bool:
        """Whether there is a token budget at all."""
        return self.tokens_per_day is not None or self.tokens_per_month is not None


UNLIMITED = Terms()
"""Where no plan is assigned: nothing is refused for its tokens, and everything is still recorded."""


def resolve(candidates: Sequence[Candidate]) -> Terms:
    """A person's own plan replaces all others; groups' plans replace the site's.

    Among several groups each limit is the most generous of theirs, and models are all of theirs: joining a
    group takes nothing away.
    """
    for source in _PRECEDENCE:
        if ranked := [candidate for candidate in candidates if candidate.source == source]:
            return _merge(sorted(ranked, key=lambda candidate: (candidate.name, candidate.holder)))
    return UNLIMITED


def _merge(candidates: Sequence[Candidate]) -> Terms:
    values: dict[str, Any] = {}
    why: dict[str, str] = {}
    for name in (*LIMITS, *ALLOWANCES, "weight"):
        best = max(candidates, key=lambda candidate: _generosity(getattr(candidate, name)))
        values[name] = getattr(best, name)
        why[name] = best.reason
    values["model_names"], why["model_names"] = _models(candidates)
    return Terms(**values, why=why)


def _models(candidates: Sequence[Candidate]) -> tuple[tuple[str, ...], str]:
    """All that any plan holds, and the plans that hold them; a plan without names holds every model."""
    for candidate in candidates:
        if not candidate.model_names:
            return (), candidate.reason
    names = {name for candidate in candidates for name in candidate.model_names}
    return tuple(sorted(names)), ", ".join(candidate.reason for candidate in candidates)


def _generosity(limit: float | None) -> float:
    return float("inf") if limit is None else limit
