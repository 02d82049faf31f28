"""Plan, PlanAssignment, Grant: what is allowed. LedgerEntry: what happened. Balance, DailyUsage: its sums."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from chatsite.quotas.limits import columns, names_in


class Plan(models.Model):
    """Limits under one name. An empty limit is no limit of the plan's; the site's settings still hold.

    One column for each of `Limits`. What is not allowed is refused on every path (`check_feature`).
    """

    name = models.CharField(_("name"), max_length=100, unique=True)
    model_names: Any
    vars().update(columns())

    class Meta:
        verbose_name = _("plan")
        verbose_name_plural = _("plans")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Names as they are compared: without spaces around them, each once."""
        self.model_names = "\n".join(names_in(self.model_names))


class PlanAssignment(models.Model):
    """Whose plan it is: a user's, a group's, or, with neither, the site's default."""

    plan = models.ForeignKey(Plan, models.PROTECT, related_name="assignments", verbose_name=_("plan"))
    group = models.OneToOneField(
        Group, models.CASCADE, null=True, blank=True, related_name="plan_assignment", verbose_name=_("group")
    )
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="plan_assignment",
        verbose_name=_("person"),
    )

    class Meta:
        verbose_name = _("plan assignment")
        verbose_name_plural = _("plan assignments")
        constraints = [
            models.CheckConstraint(condition=Q(group=None) | Q(user=None), name="assignment_one_target"),
            models.UniqueConstraint(
                models.Value(1),
                condition=Q(group=None, user=None),
                name="assignment_one_default",
                violation_error_message=_("The site has a default plan already; change that one."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user or self.group or _('everybody')}: {self.plan}"


class Grant(models.Model):
    """Extra tokens until a moment, drawn when the plan's budget is spent. `used` is checked by reconcile."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="grants", verbose_name=_("person")
    )
    tokens = models.PositiveBigIntegerField(_("tokens"), validators=[MinValueValidator(1)])
    used = models.PositiveBigIntegerField(_("used"), default=0, editable=False)
    reason = models.CharField(_("reason"), max_length=200)
    ends_at = models.DateTimeField(_("until"))
    created_at = models.DateTimeField(_("given at"), default=timezone.now, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="grants_given",
        verbose_name=_("given by"),
    )

    class Meta:
        verbose_name = _("grant")
        verbose_name_plural = _("grants")
        indexes = [models.Index(fields=["user", "ends_at"], name="grant_of_user")]

    def __str__(self) -> str:
        return f"{self.user}: {self.tokens:,} – {self.reason}"


class LedgerEntry(models.Model):
    """One booking; never changed. The sum of `tokens` is what is used or reserved.

    A generation has one `reserve` (+R) per attempt and at most one end of it: `settle` (A - R, where A
    is what was made: `prompt_tokens` + `completion_tokens`) or `release` (-R). `adjust` is a correction
    by hand. `granted` is the part of `tokens` that grants paid, `draws` says which: {grant id: tokens}.
    `day` is that of the reservation, in the site's time zone. `person` stays when the account goes.
    Group and model are known, and written, when it is settled.
    """

    class Kind(models.TextChoices):
        RESERVE = "reserve", _("reserved")
        SETTLE = "settle", _("settled")
        RELEASE = "release", _("released")
        ADJUST = "adjust", _("adjusted")

    kind = models.CharField(max_length=7, choices=Kind)
    generation = models.UUIDField()
    attempt = models.PositiveSmallIntegerField(default=1)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="ledger_entries"
    )
    person = models.UUIDField()
    day = models.DateField()
    group_name = models.CharField(max_length=150, blank=True)
    model = models.CharField(max_length=200, blank=True)
    tokens = models.BigIntegerField()
    granted = models.BigIntegerField(default=0)
    draws: models.JSONField[dict[str, int], dict[str, int]] = models.JSONField(default=dict)
    prompt_tokens = models.PositiveIntegerField(default=0)
    completion_tokens = models.PositiveIntegerField(default=0)
    note = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("ledger entry")
        verbose_name_plural = _("ledger")
        constraints = [
            models.UniqueConstraint(fields=["generation", "attempt", "kind"], name="ledger_once"),
            models.UniqueConstraint(
                fields=["generation", "attempt"],
                condition=Q(kind__in=["settle", "release"]),
                name="ledger_ended_once",
            ),
        ]
        indexes = [
            models.Index(fields=["day", "kind"], name="ledger_by_day"),
            models.Index(fields=["user", "-created_at"], name="ledger_of_user"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.tokens:+,} {self.generation}"

    def save(self, **kwargs: Any) -> None:
        """Insert. Raises TypeError where the entry exists: the ledger is append-only."""
        if self.pk is not None:
            raise TypeError("Ledger entries are never changed; append an adjustment.")
        super().save(force_insert=True)


class Balance(models.Model):
    """Sums of one person's entries in the current windows, grants left out. Its row is the person's lock.

    `day` and `month` (its first day) never go back. `person` is the key under which the ledger keeps
    what they used after the account, and with it this row, is gone.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="balance"
    )
    person = models.UUIDField(default=uuid.uuid4, editable=False)
    day = models.DateField()
    month = models.DateField()
    day_tokens = models.BigIntegerField(default=0)
    month_tokens = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.day}: {self.day_tokens:,}, month {self.month_tokens:,}"


class BudgetNotice(models.Model):
    """A person was told that `percent` of a budget are used: once per window, which `starts` on that day."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="budget_notices")
    budget = models.CharField(max_length=5, choices=[("day", _("day")), ("month", _("month"))])
    starts = models.DateField()
    percent = models.PositiveSmallIntegerField()
    created_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "budget", "starts", "percent"], name="notice_once")
        ]

    def __str__(self) -> str:
        return f"{self.percent} % of the {self.budget} that starts on {self.starts}"


class DailyUsage(models.Model):
    """Sums of settled entries by day, person, group and model: what reports read. Checked by reconcile."""

    day = models.DateField()
    person = models.UUIDField()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="daily_usage")
    group_name = models.CharField(max_length=150, blank=True)
    model = models.CharField(max_length=200, blank=True)
    requests = models.PositiveBigIntegerField(default=0)
    prompt_tokens = models.PositiveBigIntegerField(default=0)
    completion_tokens = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["day", "person", "group_name", "model"], name="usage_once")
        ]
        indexes = [models.Index(fields=["user", "day"], name="usage_of_user")]

    def __str__(self) -> str:
        return f"{self.day} {self.person}: {self.prompt_tokens + self.completion_tokens:,}"
