"""What a plan can leave out: features and models. Each is refused at every door that leads to it. Pure.

Every path that uses one asks `check_feature` or `check_model` with the terms of the person it acts for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from chatsite.errors import Refusal

if TYPE_CHECKING:
    from chatsite.quotas.resolution import Terms

Feature = Literal["api", "sharing", "attachments", "batch", "temporary"]

FEATURES: tuple[Feature, ...] = get_args(Feature)
"""Fields `allow_…` of a plan, in the order of its form."""

START_RETRY_S = 5.0
"""An engine that starts takes half a minute; asking every few seconds is enough."""

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


def check_model(terms: Terms, model: str) -> None:
    """Raises Refusal `not_in_plan` where the person's terms leave the model that would answer out.

    `model` is as the engine names it. Empty, it is not known yet: then `engine_unavailable`, for people whose
    plan names models; nobody else is asked.
    """
    if not terms.model_names or model in terms.model_names:
        return
    plan, names = terms.why.get("model_names", ""), ", ".join(terms.model_names)
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


def allows(terms: Terms, feature: Feature) -> bool:
    """Whether the terms hold the feature."""
    return bool(getattr(terms, f"allow_{feature}"))


def allowed(terms: Terms) -> tuple[Feature, ...]:
    """All that the terms hold."""
    return tuple(feature for feature in FEATURES if allows(terms, feature))
