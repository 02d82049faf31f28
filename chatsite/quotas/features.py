"""What a plan can leave out: whole features, each refused at every door that leads to it. Pure.

Every path that uses one asks `check_feature` with the terms of the person it acts for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from chatsite.errors import Refusal

if TYPE_CHECKING:
    from chatsite.quotas.resolution import Terms

Feature = Literal["api", "sharing", "attachments", "batch", "temporary"]

FEATURES: tuple[Feature, ...] = get_args(Feature)
"""Fields `allow_…` of a plan, in the order of its form."""

_CALLED: dict[Feature, str] = {
    "api": "API keys and /v1 are",
    "sharing": "Share links are",
    "attachments": "Attachments are",
    "batch": "Batches are",
    "temporary": "Temporary chats are",
}


def check_feature(terms: Terms, feature: Feature) -> None:
    """Raises Refusal `not_in_plan` where the person's terms leave the feature out."""
    if not allows(terms, feature):
        plan = terms.why.get(f"allow_{feature}", "")
        raise Refusal(
            "not_in_plan",
            f"{_CALLED[feature]} not part of plan {plan}. An administrator can give you another plan.",
        )


def allows(terms: Terms, feature: Feature) -> bool:
    """Whether the terms hold the feature."""
    return bool(getattr(terms, f"allow_{feature}"))


def allowed(terms: Terms) -> tuple[Feature, ...]:
    """All that the terms hold."""
    return tuple(feature for feature in FEATURES if allows(terms, feature))
