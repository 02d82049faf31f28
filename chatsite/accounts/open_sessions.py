"""Where a person is signed in: recorded, listed, and the others ended, by allauth.usersessions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from allauth.usersessions.adapter import DefaultUserSessionsAdapter
from allauth.usersessions.models import UserSession
from allauth.usersessions.views import ListUserSessionsView
from django.http import HttpRequest
from django.utils import timezone

from chatsite.accounts.browsers import browser_of
from chatsite.accounts.sockets import tell_from_thread

SEEN_EVERY_S = 600
"""How exact "last used" is. Opening the page reads one row, and writes one at most this often."""


class SessionsAdapter(DefaultUserSessionsAdapter):
    """Ending a session closes its open pages too."""

    def end_sessions(self, sessions: Sequence[UserSession]) -> None:
        super().end_sessions(sessions)
        for user_id in {session.user_id for session in sessions}:
            tell_from_thread(user_id, "sessions.ended")


class SessionsPage(ListUserSessionsView):
    """The list, this browser first, then by last use."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        rows = sorted(context["sessions"], key=lambda one: (one.is_current(), one.last_seen_at), reverse=True)
        context["places"] = [
            {"session": one, "browser": browser_of(one.user_agent), "here": one.is_current()} for one in rows
        ]
        return context


def note_visit(request: HttpRequest) -> None:
    """This session is in use. One from before this list existed is added to it."""
    recent = timezone.now() - timedelta(seconds=SEEN_EVERY_S)
    key = request.session.session_key
    if not UserSession.objects.filter(session_key=key, last_seen_at__gte=recent).exists():
        UserSession.objects.create_from_request(request)
