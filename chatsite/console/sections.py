"""The console's sections in the groups of its sidebar, which are those of its first page too."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Section:
    """A section. `name` is its URL name without the namespace, `icon` one of static/console/icons.svg.

    `about` says in one line what it is for; `purpose`, where its list is empty, what a first entry does.
    `tab_of` names the section on whose pages it is a tab; it has no place of its own in the sidebar.
    `also` are beginnings of further addresses of its pages, below the console's own.
    """

    name: str
    label: Promise
    icon: str
    about: Promise
    purpose: Promise | str = ""
    tab_of: str = ""
    also: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        return reverse(f"admin:{self.name}")

    def holds(self, path: str) -> bool:
        """Whether a page of this section lies at `path`."""
        home = reverse("admin:index")
        if self.url == home:
            return path == home
        return path.startswith((self.url, *(home + beginning for beginning in self.also)))


@dataclass(frozen=True)
class SectionGroup:
    """Sections under one heading; of a group without `label` they stand alone. Not shown while empty."""

    label: Promise | str
    sections: tuple[Section, ...]

    @property
    def entries(self) -> list[Section]:
        """The sections with a place in the sidebar."""
        return [section for section in self.sections if not section.tab_of]


PLANS = "quotas_plan_changelist"

GROUPS = (
    SectionGroup(
        "",
        (
            Section("index", _("Overview"), "overview", _("Where everything is.")),
            Section(
                "live", _("Live"), "live",
                _("Whether the site is healthy, who uses it now, who is about to run out; pause and drain."),
            ),
            Section(
                "usage", _("Usage"), "usage",
                _("Tokens by person, group, model and day, as chart, tables and CSV."),
            ),
        ),
    ),
    SectionGroup(
        _("People"),
        (
            Section(
                "accounts_user_changelist", _("People"), "people",
                _("Roles, groups, sign-in help, and which limits apply to whom."),
                _("Everyone with an account. Invite people, or create an account for someone."),
                also=("people/", "read/"),
            ),
            Section(
                "auth_group_changelist", _("Groups"), "groups",
                _("Teams with a plan and managers of their own."),
                _(
                    "A group gives its members a plan, and managers who see its usage and invite into it."
                    " Start with one for each team."
                ),
            ),
            Section(
                "accounts_invitation_changelist", _("Invitations"), "invitations",
                _("Links by which people create their own account."),
                _(
                    "An invitation is a link by which one person creates their own account, with the role and"
                    " the group you choose. Nobody has an open one now."
                ),
            ),
            Section(
                "accounts_apikey_changelist", _("API keys"), "keys",
                _("Access for programs: create, watch and revoke keys."),
                _(
                    "A key lets a program use the API as its owner, within the owner's limits."
                    " Its text is shown once, when it is created."
                ),
            ),
        ),
    ),
    SectionGroup(
        _("Limits"),
        (
            Section(
                PLANS, _("Plans"), "plans",
                _("Tokens per day and month, rates, models and features under one name."),
                _(
                    "A plan is a set of limits under one name. Create one, then assign it to everybody,"
                    " a group or a person. Without a plan, only the site's own settings limit anybody."
                ),
            ),
            Section(
                "quotas_planassignment_changelist", _("Plan assignments"), "plans",
                _("Which plan everybody, a group or a person has."),
                _(
                    "An assignment says whose plan it is: everybody's, a group's or one person's."
                    " Start with one for everybody."
                ),
                tab_of=PLANS,
            ),
            Section(
                "quotas_grant_changelist", _("Grants"), "grants",
                _("Extra tokens for one person, with a reason and an end."),
                _(
                    "A grant gives one person extra tokens until a date, beside their plan:"
                    " for a deadline, without changing the plan."
                ),
            ),
        ),
    ),
    SectionGroup(_("Models"), ()),
    SectionGroup(
        _("Data"),
        (
            Section(
                "retention_retentionpolicy_changelist", _("Retention"), "retention",
                _("How long conversations are kept."),
            ),
        ),
    ),
    SectionGroup(_("Feedback"), ()),
    SectionGroup(
        "",
        (
            Section(
                "audit_auditentry_changelist", _("Audit"), "audit",
                _("Who of the staff changed what, and when."),
                _("What the staff changes in the console is noted here, with the values before and after."),
            ),
            Section(
                "notices_announcement_changelist", _("Announcements"), "announcements",
                _("A banner for everybody, for a time."),
                _(
                    "An announcement is a banner on everybody's chat page, from and until when you say:"
                    " maintenance, a new model, a change of rules."
                ),
            ),
        ),
    ),
    SectionGroup(_("Settings"), ()),
)  # fmt: skip
"""In the sidebar's order. Groups that are empty keep the place of pages that are still to come."""

SECTIONS = [section for group in GROUPS for section in group.sections]


def section_at(path: str) -> Section | None:
    """The section that a path belongs to."""
    return next((section for section in SECTIONS if section.holds(path)), None)


def tabs_of(section: Section) -> list[Section]:
    """The sections shown as tabs beside each other on this one's pages; empty where it stands alone."""
    first = section.tab_of or section.name
    tabs = [one for one in SECTIONS if first in (one.name, one.tab_of)]
    return tabs if len(tabs) > 1 else []
