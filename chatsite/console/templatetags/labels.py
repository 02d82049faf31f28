"""Template filter for translated labels of engine states, request classes, roles and audited actions."""

from __future__ import annotations

from django import template
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

register = template.Library()

_LABELS: dict[str, Promise] = {
    "starting": _("starting"),
    "ready": _("ready"),
    "restarting": _("restarting"),
    "failed": _("failed"),
    "paused": _("paused"),
    "draining": _("draining"),
    "down": _("not answering"),
    "queued": _("waiting"),
    "running": _("running"),
    "quick": _("quick"),
    "normal": _("normal"),
    "heavy": _("heavy"),
    "added": _("added"),
    "changed": _("changed"),
    "deleted": _("deleted"),
    "cancelled": _("cancelled"),
    "resumed": _("resumed"),
    "drained": _("drained"),
    "revoked": _("revoked"),
    "invited": _("invited"),
    "took back": _("revoked"),
    "read": _("read"),
    "listed the conversations": _("listed the conversations"),
    "exported all conversations": _("exported all conversations"),
    "downloaded all conversations": _("downloaded all conversations"),
    "asked to erase": _("asked to erase"),
    "erased": _("erased"),
    "ended what was set in motion": _("ended what was in progress"),
    "made a password link": _("created a password link"),
    "confirmed the address": _("confirmed the address"),
    "set the password": _("set the password"),
    "member": _("member"),
    "auditor": _("auditor (may look)"),
    "administrator": _("administrator"),
    "owner": _("owner"),
    "reset the second factor": _("reset two-factor authentication"),
}


@register.filter
def label(name: str) -> str | Promise:
    """The label of an engine or generation state, a request class, a role or an action; else itself."""
    return _LABELS.get(name, name)
