"""The page of a person's open sessions (allauth.usersessions)."""

from __future__ import annotations

from typing import Any

from allauth.usersessions.views import ListUserSessionsView

from chatsite.accounts.user_agents import browser_name


class SessionsPage(ListUserSessionsView):
    """The list of open sessions, this browser's first, then by last use."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        rows = sorted(context["sessions"], key=lambda one: (one.is_current(), one.last_seen_at), reverse=True)
        context["places"] = [
            {"session": one, "browser": browser_name(one.user_agent), "here": one.is_current()}
            for one in rows
        ]
        return context
