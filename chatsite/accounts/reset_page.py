"""`/accounts/password/reset/`: a link by mail, where the site sends mail."""

from __future__ import annotations

from typing import Any

from allauth.account.views import PasswordResetView
from django.conf import settings
from django.http import HttpRequest, HttpResponse


class ResetPage(PasswordResetView):
    """Without a mail server it says whom to ask, and takes nothing."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not settings.SENDS_MAIL:
            page: HttpResponse = self.get(request, *args, **kwargs)
            return page
        sent: HttpResponse = super().post(request, *args, **kwargs)
        return sent

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | {"sends_mail": settings.SENDS_MAIL}
