"""What states, classes and audited actions are called in the console; rows keep their own names."""

from __future__ import annotations

from django import template
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

register = template.Library()

_WORDS: dict[str, Promise] = {
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
    "took back": _("took back"),
    "read": _("read"),
    "listed the conversations": _("listed the conversations"),
    "exported all conversations": _("exported all conversations"),
    "downloaded all conversations": _("downloaded all conversations"),
    "asked to erase": _("asked to erase"),
    "erased": _("erased"),
    "made a password link": _("made a password link"),
    "confirmed the address": _("confirmed the address"),
    "set the password": _("set the password"),
    "reset the second factor": _("reset the second factor"),
}


@register.filter
def word(name: str) -> str | Promise:
    """A state of the engine or of a run, a class of the line, or an action; one without a word as it is."""
    return _WORDS.get(name, name)
