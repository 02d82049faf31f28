"""The limits of a plan, in one list. Plans, what applies to a person, forms and pages are derived from it.

A new limit is a field of `Limits` (and a migration, since each is a column of `Plan`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

from django.core.validators import MinValueValidator
from django.db import models
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Feature = Literal["api", "sharing", "attachments", "batch", "temporary"]

FEATURES: tuple[Feature, ...] = get_args(Feature)
"""What a plan can leave out: each is a limit `allow_<feature>`, in the order of the plan's form."""


def _budget(label: Promise) -> Any:
    """Tokens that a window may hold."""
    return field(default=None, metadata={"column": (models.PositiveBigIntegerField, label, {})})


def _most(label: Promise) -> Any:
    """The most of something, at least 1."""
    options = {"validators": [MinValueValidator(1)]}
    return field(default=None, metadata={"column": (models.PositiveIntegerField, label, options)})


def _feature(label: Promise) -> Any:
    """Whether a feature is part of the plan."""
    return field(default=True, metadata={"column": (models.BooleanField, label, {"default": True})})


@dataclass(frozen=True)
class Limits:
    """What a plan says. None is "no limit", and no name of a model is "every model".

    `weight` is the person's share of a full engine; `max_context` and `max_output` count tokens of one
    question; `max_stored_mb` is of all that the person keeps.
    """

    tokens_per_day: int | None = _budget(_("tokens per day"))
    tokens_per_month: int | None = _budget(_("tokens per month"))
    requests_per_minute: int | None = _most(_("questions per minute"))
    max_running: int | None = _most(_("answers at once while others wait"))
    max_active: int | None = _most(_("questions waiting or being answered"))
    max_context: int | None = _most(_("context in tokens"))
    max_output: int | None = _most(_("answer in tokens"))
    max_stored_mb: int | None = _most(_("documents and imports in MB"))
    allow_api: bool = _feature(_("API keys and /v1"))
    allow_sharing: bool = _feature(_("share links"))
    allow_attachments: bool = _feature(_("attachments"))
    allow_batch: bool = _feature(_("batches"))
    allow_temporary: bool = _feature(_("temporary chats"))
    weight: float = field(
        default=1.0,
        metadata={
            "column": (
                models.FloatField,
                _("share"),
                {
                    "default": 1.0,
                    "validators": [MinValueValidator(0.1)],
                    "help_text": _("2 gets twice the tokens of 1 while the engine is full."),
                },
            )
        },
    )
    model_names: tuple[str, ...] = field(
        default=(),
        metadata={
            "column": (
                models.TextField,
                _("models"),
                {"blank": True, "help_text": _("One a line. Empty: every model.")},
            )
        },
    )


LIMIT_NAMES = tuple(one.name for one in fields(Limits))
"""Every limit, in the order in which people read them."""

NUMBERS = tuple(one.name for one in fields(Limits) if one.default is None)
"""Limits where None is "no limit", and more is more generous."""

ALLOWANCES = tuple(f"allow_{feature}" for feature in FEATURES)
"""Limits that say whether a feature is part of the plan."""


def columns() -> dict[str, models.Field[Any, Any]]:
    """A new database column for each limit, by name: those of the model `Plan`."""
    made = {}
    for one in fields(Limits):
        kind, label, options = one.metadata["column"]
        nullable = {"null": True, "blank": True} if one.default is None else {}
        made[one.name] = kind(label, **nullable, **options)
    return made


def names_in(text: str) -> tuple[str, ...]:
    """Names of models, one a line: each once, in order."""
    return tuple(sorted({line.strip() for line in text.splitlines()} - {""}))
