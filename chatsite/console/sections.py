"""The console's sections, in the order of its navigation and of its first page."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Section:
    """`name` is the address's, without its namespace; `about` one line for newcomers."""

    name: str
    label: Promise
    about: Promise

    @property
    def url(self) -> str:
        return reverse(f"admin:{self.name}")


SECTIONS = [
    Section(
        "live", _("Live"), _("Is the site healthy, who uses it, who is about to run out. Stop, pause, drain.")
    ),
    Section("usage", _("Usage"), _("Tokens by person, group, model and day; CSV.")),
    Section(
        "accounts_user_changelist", _("People"), _("Roles, groups, deactivation, and what applies to whom.")
    ),
    Section("auth_group_changelist", _("Groups"), _("Teams with their plan and their managers.")),
    Section(
        "accounts_invitation_changelist",
        _("Invitations"),
        _("A link by which somebody makes their own account."),
    ),
    Section(
        "quotas_plan_changelist",
        _("Plans"),
        _("Limits under a name: tokens per day and month, rates, shares, models, features."),
    ),
    Section(
        "quotas_planassignment_changelist",
        _("Plans in force"),
        _("Which plan the site, a group or a person has."),
    ),
    Section(
        "quotas_grant_changelist", _("Grants"), _("Extra tokens for one person, with a reason and an end.")
    ),
    Section(
        "accounts_apikey_changelist",
        _("API keys"),
        _("What programs come in by: make one, see all, revoke."),
    ),
    Section("audit_auditentry_changelist", _("Audit"), _("Who of the staff changed what, and when.")),
    Section("notices_announcement_changelist", _("Announcement"), _("A banner for everybody.")),
    Section("archive_retentionpolicy_changelist", _("Retention"), _("How long conversations are kept.")),
]
