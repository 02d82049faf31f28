"""Notices at 80 and 100 % of a budget, once per window: on the page, and by e-mail where there is some.

What is reserved does not count: it may never be used.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from itertools import islice

import structlog
from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import F, Q, Sum
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from chatsite.database import lock_in_order
from chatsite.quotas import windows
from chatsite.quotas.budgets import STEPS, BudgetAlert, step_of
from chatsite.quotas.ledger import open_reservations
from chatsite.quotas.models import Balance, BudgetNotice
from chatsite.quotas.plans import limits_of_each

log = structlog.get_logger(__name__)

PEOPLE_AT_ONCE = 500
"""In one query: below SQLite's limit of variables, twice over."""


def do_note_budgets(now: datetime) -> list[BudgetNotice]:
    """Note whoever passed a step of a budget since the last look; returns what is new, each once."""
    day = windows.day_of(now, timezone.get_default_timezone())
    people = Balance.objects.filter(month__gte=windows.month_of(day), user__is_active=True)
    rows = iter(people.select_related("user").order_by("pk"))
    fresh: list[BudgetNotice] = []
    while some := list(islice(rows, PEOPLE_AT_ONCE)):
        fresh += [notice for notice in _passed(some, day) if not _said(notice)]
    with transaction.atomic():
        for notice in fresh:
            notice.save()
    return fresh


def read_notices(user_id: int, now: datetime) -> tuple[BudgetAlert, ...]:
    """What this person has not put away yet, of the windows that last."""
    day = windows.day_of(now, timezone.get_default_timezone())
    current = Q(budget="day", starts=day) | Q(budget="month", starts=windows.month_of(day))
    rows = BudgetNotice.objects.filter(current, user_id=user_id, seen_at=None).order_by("budget", "percent")
    latest = {row.budget: row for row in rows}
    return tuple(BudgetAlert(row.budget, row.percent, _ends(row)) for row in latest.values())  # type: ignore[arg-type]


def do_put_away(user_id: int) -> None:
    """The person has read their notices."""
    with transaction.atomic():
        unseen = lock_in_order(BudgetNotice.objects.filter(user_id=user_id, seen_at=None))
        BudgetNotice.objects.filter(pk__in=unseen).update(seen_at=timezone.now())


def mail(notices: Iterable[BudgetNotice]) -> None:
    """Send them where the site has a mail server. One that cannot be sent is logged; the page tells it."""
    if not settings.SENDS_MAIL:
        return
    for notice in notices:
        with override(notice.user.language or settings.LANGUAGE_CODE):
            subject, text = _letter(notice)
        try:
            send_mail(subject, text, None, [notice.user.email])
        except OSError as error:
            log.warning("notice_not_mailed", user=notice.user_id, error=repr(error))


def _passed(balances: list[Balance], day: date) -> Iterator[BudgetNotice]:
    """A notice for each step that people are beyond, saved or not."""
    limits = limits_of_each({row.pk for row in balances})
    for row in balances:
        bounds = (
            ("day", day, row.day_tokens if row.day >= day else 0, limits[row.pk].tokens_per_day),
            ("month", row.month, row.month_tokens, limits[row.pk].tokens_per_month),
        )
        near = [bound for bound in bounds if step_of(bound[2], bound[3])]
        if not near:
            continue
        reserved = _reserved(row.pk)
        for budget, starts, used, limit in near:
            if percent := step_of(used - reserved, limit):
                yield BudgetNotice(user=row.user, budget=budget, starts=starts, percent=percent)


def _reserved(user_id: int) -> int:
    plan = F("tokens") - F("granted")
    return open_reservations().filter(user_id=user_id).aggregate(tokens=Sum(plan))["tokens"] or 0


def _said(notice: BudgetNotice) -> bool:
    """Whether this step, or a higher one, was told in this window."""
    return BudgetNotice.objects.filter(
        user_id=notice.user_id, budget=notice.budget, starts=notice.starts, percent__gte=notice.percent
    ).exists()


def _ends(notice: BudgetNotice) -> datetime:
    ends = windows.day_ends if notice.budget == "day" else windows.month_ends
    return ends(notice.starts, timezone.get_default_timezone())


def _letter(notice: BudgetNotice) -> tuple[str, str]:
    new = f"{_ends(notice):%Y-%m-%d %H:%M %Z}"
    if notice.percent >= STEPS[-1]:
        subject = _("Your budget for today is used up") if notice.budget == "day" else _(
            "Your budget for this month is used up"
        )  # fmt: skip
    else:
        subject = _("%(percent)s %% of your budget for today are used") if notice.budget == "day" else _(
            "%(percent)s %% of your budget for this month are used"
        )  # fmt: skip
        subject = subject % {"percent": notice.percent}
    text = _("The budget is new at %(at)s. The page “Usage” shows what was used, and what applies to you.")
    return subject, text % {"at": new}
