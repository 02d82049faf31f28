"""Which plan applies to the members of a group."""

from __future__ import annotations

from django.contrib.auth.models import Group

from chatsite.quotas.models import Plan, PlanAssignment


def do_assign_plan(group: Group, plan: Plan | None) -> None:
    """The plan of a group's members; None: the group has none of its own."""
    if plan is None:
        PlanAssignment.objects.filter(group=group).delete()
    else:
        PlanAssignment.objects.update_or_create(group=group, defaults={"plan": plan})
