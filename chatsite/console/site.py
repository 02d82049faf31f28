"""The admin site with the console's own pages: Live and Usage."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.urls import path
from django.utils.translation import gettext_lazy as _


class ConsoleSite(AdminSite):
    """Every page asks for staff, by `admin_view`."""

    site_header = "chatsite"
    site_title = "chatsite"
    index_title = _("Console")
    enable_nav_sidebar = False
    index_template = "console/index.html"

    def get_urls(self) -> list[Any]:
        from chatsite.console import live, usage

        own = [
            path("live/", self.admin_view(live.live), name="live"),
            path("live/cancel", self.admin_view(live.cancel), name="live_cancel"),
            path("live/admission", self.admin_view(live.admission), name="live_admission"),
            path("usage/", self.admin_view(usage.usage), name="usage"),
            path("usage.csv", self.admin_view(usage.usage_csv), name="usage_csv"),
            path("ledger.csv", self.admin_view(usage.ledger_csv), name="ledger_csv"),
        ]
        return own + super().get_urls()
