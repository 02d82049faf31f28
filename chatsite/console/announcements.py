"""Announcements in the console."""

from __future__ import annotations

from chatsite.console.audited import AuditedAdmin


class AnnouncementAdmin(AuditedAdmin):
    list_display = ("text", "important", "starts_at", "ends_at")
