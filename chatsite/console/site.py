"""The admin site with the console's own pages: Live and Usage."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils.translation import gettext_lazy as _

from chatsite.console.entry import lacks_factor, may_enter


class ConsoleSite(AdminSite):
    """Every page asks for staff, by `admin_view`."""

    site_header = "chatsite"
    site_title = "chatsite"
    index_title = _("Console")
    enable_nav_sidebar = False
    index_template = "console/index.html"

    def has_permission(self, request: HttpRequest) -> bool:
        return may_enter(request.user)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Staff without a second factor, where one is asked for, is led to set it up."""
        if request.user.is_authenticated and lacks_factor(request.user):
            messages.info(
                request, _("The console asks for a second factor. Set one up here, then come back.")
            )
            return redirect("mfa_index")
        return super().login(request, extra_context)

    def get_urls(self) -> list[Any]:
        from chatsite.console import live, reading, usage

        own = [
            path("live/", self.admin_view(live.live), name="live"),
            path("live/cancel", self.admin_view(live.cancel), name="live_cancel"),
            path("live/admission", self.admin_view(live.admission), name="live_admission"),
            path("usage/", self.admin_view(usage.usage), name="usage"),
            path("usage.csv", self.admin_view(usage.usage_csv), name="usage_csv"),
            path("ledger.csv", self.admin_view(usage.ledger_csv), name="ledger_csv"),
            path("read/<int:user>/", self.admin_view(reading.person), name="read_person"),
            path("read/<uuid:id>/", self.admin_view(reading.conversation), name="read_conversation"),
        ]
        return own + super().get_urls()
