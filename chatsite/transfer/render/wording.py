"""Labels and notes of a rendered document, in the reader's language (Django's active one)."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chatsite.transfer.render.outline import OutlineEntry
from chatsite.transfer.schema import ConversationRecord, GenerationRecord


def title_of(record: ConversationRecord) -> str:
    """Its title, or what stands for one."""
    return record.title or _("Untitled conversation")


def period_of(record: ConversationRecord) -> str:
    """How much there is, and from when."""
    count = len(record.messages)
    size = ngettext("%(count)d message", "%(count)d messages", count) % {"count": count}
    return f"{size} · {local_time(record.created_at)} – {local_time(record.updated_at)}"


def local_time(at: datetime) -> str:
    """To the minute, in the site's time zone."""
    return timezone.localtime(at, timezone.get_default_timezone()).strftime("%Y-%m-%d %H:%M")


def role_name(turn: OutlineEntry) -> str:
    """Who says it."""
    return {
        "user": _("You"),
        "assistant": _("Answer"),
        "system": _("Instructions"),
        "raw": _("Text"),
    }[turn.message.role]


def version_note(turn: OutlineEntry) -> str:
    """What a reader must know where the tree branches; empty where it does not."""
    notes = []
    if turn.versions > 1:
        notes.append(
            _("version %(version)d of %(versions)d") % {"version": turn.version, "versions": turn.versions}
        )
    if turn.after:
        notes.append(_("follows no. %(number)d") % {"number": turn.after})
    return ", ".join(notes)


def feedback_note(turn: OutlineEntry) -> str:
    """The thumbs and why; empty where there are none."""
    if (held := turn.message.feedback) is None:
        return ""
    words = _("Rated good") if held.value > 0 else _("Rated bad")
    return f"{words}: {held.comment}" if held.comment else words


def documents_note(turn: OutlineEntry) -> str:
    """The documents that were sent with it; empty where there are none."""
    return _("Documents: %(names)s") % {"names": ", ".join(turn.documents)} if turn.documents else ""


def usage_note(job: GenerationRecord | None) -> str:
    """Tokens and how it ended, where that is not the ordinary end."""
    if job is None:
        return ""
    parts = []
    if job.completion_tokens:
        parts.append(
            ngettext("%(count)d token", "%(count)d tokens", job.completion_tokens)
            % {"count": job.completion_tokens}
        )
    if job.status != "finished":
        parts.append(_ENDS[job.status]())
    elif job.finish_reason == "length":
        parts.append(_("cut at its longest length"))
    return ", ".join(parts)


_ENDS = {
    "cancelled": lambda: _("stopped"),
    "failed": lambda: _("failed"),
    "timed_out": lambda: _("took too long"),
    "interrupted": lambda: _("interrupted"),
}
