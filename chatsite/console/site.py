"""The admin site with the console's own pages: Live, Usage, the sidebar's search."""

from __future__ import annotations

from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.admin.options import TO_FIELD_VAR
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils.translation import gettext_lazy as _

from chatsite.console.access import lacks_second_factor, may_use_console


class ConsoleSite(AdminSite):
    """The admin site. `admin_view` checks access for every page."""

    site_header = "chatsite"
    site_title = "chatsite"
    index_title = _("Console")
    enable_nav_sidebar = False
    index_template = "console/index.html"
    empty_value_display = "–"

    def has_permission(self, request: HttpRequest) -> bool:
        return may_use_console(request.user)

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Django looks for a field without a name where an address holds an empty `_to_field`."""
        inner = super().admin_view(view, cacheable)

        @wraps(inner)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            if request.GET.get(TO_FIELD_VAR) == "" or request.POST.get(TO_FIELD_VAR) == "":
                raise BadRequest("_to_field must be the name of a field, or be left out.")
            return inner(request, *args, **kwargs)

        return guarded

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Redirect staff without a required second factor to the page that sets one up."""
        if request.user.is_authenticated and lacks_second_factor(request.user):
            messages.info(
                request, _("The console requires two-factor authentication. Set it up here, then come back.")
            )
            return redirect("mfa_index")
        return super().login(request, extra_context)

    def password_change(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Staff change their own password where everybody does."""
        return redirect("account_change_password")

    def get_urls(self) -> list[Any]:
        from chatsite.console import live, lookup, staff_reading, usage

        own = [
            path("live/", self.admin_view(live.live_page), name="live"),
            path("lookup/", self.admin_view(lookup.lookup_page), name="lookup"),
            path("live/cancel", self.admin_view(live.cancel_generation), name="live_cancel"),
            path("live/admission", self.admin_view(live.change_admission), name="live_admission"),
            path("usage/", self.admin_view(usage.usage_report), name="usage"),
            path("usage.csv", self.admin_view(usage.usage_csv), name="usage_csv"),
            path("ledger.csv", self.admin_view(usage.ledger_csv), name="ledger_csv"),
            path("read/<int:user>/", self.admin_view(staff_reading.person_page), name="read_person"),
            path(
                "read/<uuid:id>/", self.admin_view(staff_reading.conversation_page), name="read_conversation"
            ),
        ]
        return own + super().get_urls()
