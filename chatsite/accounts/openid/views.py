"""Views of single sign-on, in place of allauth's: every failure ends on a page that explains it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import structlog
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.helpers import complete_social_login
from allauth.socialaccount.internal import statekit
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.base.constants import AuthProcess
from allauth.socialaccount.providers.base.utils import respond_to_login_on_get
from allauth.utils import get_request_param
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from chatsite.accounts.connections import check_may_connect
from chatsite.accounts.openid.discovery import FAILURE_MAX_AGE_S
from chatsite.accounts.openid.provider import SingleSignOnProvider, sign_in_refusal
from chatsite.accounts.openid.provider_calls import ProviderFailure
from chatsite.accounts.openid.refused_page import refused_page
from chatsite.errors import Refusal
from chatsite.ratelimit import check_single_sign_on
from chatsite.server.client_address import address_of_request

log = structlog.get_logger(__name__)

View = Callable[[HttpRequest, SingleSignOnProvider], HttpResponse]


def single_sign_on_view(view: View) -> Callable[..., HttpResponse]:
    """Decorator: looks the provider up, and turns failures into the error page."""

    @wraps(view)
    def wrapped(request: HttpRequest, provider_id: str) -> HttpResponse:
        try:
            return view(request, _provider(request, provider_id))
        except ImmediateHttpResponse as given:
            response: HttpResponse = given.response
            return response
        except Refusal as refusal:
            log.warning("sign_on_refused", reason=str(refusal))
            return refused_page(request, refusal)
        except ProviderFailure as failure:
            log.error("openid_provider_failed", reason=str(failure))
            message = _("The sign-in provider does not answer as it should right now. Try again in a moment.")
            return refused_page(request, Refusal("provider_unavailable", message, FAILURE_MAX_AGE_S))

    return wrapped


@never_cache
@require_http_methods(["GET", "POST"])
@single_sign_on_view
def login(request: HttpRequest, provider: SingleSignOnProvider) -> HttpResponse:
    """POST leads to the provider's page; GET shows a button that does. Rate-limited by client address.

    A page leads there: Chromium refuses a form's redirect to another site under `form-action 'self'`, and
    the provider may send people on to sites that no policy of ours could name.
    """
    button: HttpResponse | None = respond_to_login_on_get(request, provider)
    if button is not None:
        return button
    check_single_sign_on(address_of_request(request))
    if get_request_param(request, "process") == AuthProcess.CONNECT:
        check_may_connect(request)
    away = provider.redirect_from_request(request)
    return render(request, "account/to_provider.html", {"address": away["Location"]})


@never_cache
@require_http_methods(["GET"])
@single_sign_on_view
def callback(request: HttpRequest, provider: SingleSignOnProvider) -> HttpResponse:
    """Where the provider sends people back to. A state is used once: each callback had a counted start."""
    state_id = request.GET.get("state", "")
    state = statekit.unstash_state(request, provider_id=provider.sub_id, state_id=state_id)
    if state is None or "nonce" not in state:
        message = _("This sign-in was begun in another browser, long ago, or is over. Start it again.")
        raise Refusal("sign_on_refused", message)
    if "code" not in request.GET:
        if request.GET.get("error") == "access_denied":
            return redirect("socialaccount_login_cancelled")
        raise sign_in_refusal(f"sent back with error={request.GET.get('error')!r:.100}")
    claims = provider.claims_of_code(request, request.GET["code"], state)
    sign_in = provider.sociallogin_from_response(request, claims)
    sign_in.state = state
    try:
        answer: HttpResponse = complete_social_login(request, sign_in)
    except IntegrityError as lost:
        message = _("Another sign-in made this account or connection at the same moment. Start it again.")
        raise Refusal("busy", message) from lost
    return answer


def _provider(request: HttpRequest, provider_id: str) -> Any:
    try:
        return get_adapter(request).get_provider(request, provider_id)
    except SocialApp.DoesNotExist as missing:
        raise Http404(provider_id) from missing
