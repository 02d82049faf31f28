"""The OpenID Connect provider class. allauth finds `provider_classes` here, since the package is an app."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import urlencode

import msgspec
import structlog
from allauth.account.models import EmailAddress
from allauth.socialaccount.providers.base import Provider
from allauth.socialaccount.providers.base.constants import AuthProcess
from allauth.socialaccount.providers.oauth2.utils import generate_code_challenge
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.utils import build_absolute_uri
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _

from chatsite.accounts.openid.claims import Claims, claims_refusal, read_claims
from chatsite.accounts.openid.discovery import KEYS_REFETCH_S, Metadata, ProviderDocuments, provider_documents
from chatsite.accounts.openid.id_token import UnknownKey, verified_claims
from chatsite.accounts.openid.provider_calls import ProviderRefusal, call_provider
from chatsite.errors import Refusal

log = structlog.get_logger(__name__)

NONCE_BYTES = 24
"""192 random bits, as in an invitation."""

PROCESSES = (AuthProcess.LOGIN, AuthProcess.CONNECT)


class SingleSignOnProvider(OpenIDConnectProvider):
    """OpenID Connect with allauth's states, accounts and pages; HTTP calls and token checks are ours."""

    # Only programs without a browser hand over tokens, and none is served (allauth.headless).
    supports_token_authentication = False

    @property
    def documents(self) -> ProviderDocuments:
        return provider_documents(self.app.settings["server_url"], allow_http=settings.OIDC_ALLOW_HTTP)

    # --- the redirect to the provider ---------------------------------------------------------
    def get_redirect_from_request_kwargs(self, request: HttpRequest) -> dict[str, Any]:
        """Purpose of the sign-in and where to return to: no more of the request reaches the provider."""
        asked: dict[str, Any] = Provider.get_redirect_from_request_kwargs(self, request)
        if asked["process"] not in PROCESSES:
            asked["process"] = AuthProcess.LOGIN
        return asked

    def redirect(
        self, request: HttpRequest, process: str, next_url: str | None = None, data: Any = None, **kwargs: Any
    ) -> HttpResponse:
        """Redirect to the provider's page. Raises ProviderFailure, before any state is stored."""
        metadata = self.documents.metadata()
        challenge = generate_code_challenge()
        nonce = secrets.token_urlsafe(NONCE_BYTES)
        state = self.stash_redirect_state(
            request, process, next_url, data, pkce_code_verifier=challenge.pop("code_verifier"), nonce=nonce
        )
        query = urlencode(
            {
                "response_type": "code",
                "client_id": self.app.client_id,
                "redirect_uri": self._callback_url(request),
                "scope": " ".join(self.get_scope()),
                "state": state,
                "nonce": nonce,
                **challenge,
            }
        )
        mark = "&" if "?" in metadata.authorization_endpoint else "?"
        return HttpResponseRedirect(f"{metadata.authorization_endpoint}{mark}{query}")

    # --- the callback -------------------------------------------------------------------------
    def claims_of_code(self, request: HttpRequest, code: str, state: dict[str, Any]) -> Claims:
        """Exchange the code for the person's claims. Raises ProviderFailure, or Refusal `sign_on_refused`."""
        metadata = self.documents.metadata()
        tokens = self._tokens(metadata, request, code, state["pkce_code_verifier"])
        verified = self._verified_claims(metadata, tokens.get("id_token"), state["nonce"])
        if metadata.userinfo_endpoint is None:
            return read_claims(verified)
        bearer = {"Authorization": f"Bearer {tokens.get('access_token')}"}
        userinfo = _object(_call("GET", metadata.userinfo_endpoint, headers=bearer))
        if userinfo.get("sub") != verified["sub"]:
            raise claims_refusal(_("userinfo is about another person than the id token"))
        # `email` and `email_verified` come from the same source.
        return read_claims(userinfo if "email" in userinfo else {**verified, **userinfo})

    def _tokens(self, metadata: Metadata, request: HttpRequest, code: str, verifier: str) -> dict[str, Any]:
        client = {"client_id": self.app.client_id, "client_secret": self.app.secret}
        in_header = metadata.takes_secret_in_header
        asked = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._callback_url(request),
            "code_verifier": verifier,
        }
        body = _call(
            "POST",
            metadata.token_endpoint,
            data=asked if in_header else asked | client,
            auth=(self.app.client_id, self.app.secret) if in_header else None,
        )
        return _object(body)

    def _verified_claims(self, metadata: Metadata, token: Any, nonce: str) -> dict[str, Any]:
        expected = {"issuer": metadata.issuer, "client_id": self.app.client_id, "nonce": nonce}
        try:
            return verified_claims(token, self.documents.keys(), **expected)
        except UnknownKey:
            try:
                return verified_claims(token, self.documents.keys(KEYS_REFETCH_S), **expected)
            except UnknownKey as unknown:
                raise claims_refusal(str(unknown)) from unknown

    def _callback_url(self, request: HttpRequest) -> str:
        return str(build_absolute_uri(request, self.get_callback_url()))

    # --- claims to account --------------------------------------------------------------------
    def extract_uid(self, claims: Claims) -> str:
        return claims.sub

    def extract_common_fields(self, claims: Claims) -> dict[str, Any]:
        return {"email": claims.address, "name": claims.full_name}

    def extract_email_addresses(self, claims: Claims) -> list[EmailAddress]:
        """The address that the provider has verified; others are not used."""
        if not claims.address:
            return []
        return [EmailAddress(email=claims.address, verified=True, primary=True)]

    def extract_extra_data(self, claims: Claims) -> dict[str, Any]:
        """What is stored: enough to show whose connection it is, and no other claim."""
        return {"userinfo": {"sub": claims.sub, "email": claims.email, "name": claims.full_name}}


def sign_in_refusal(reason: str) -> Refusal:
    """The Refusal for a sign-in that the provider rejected; the reason goes to the log."""
    log.warning("openid_provider_refused", reason=reason)
    return Refusal("sign_on_refused", _("The sign-in provider did not accept this sign-in. Start it again."))


def _call(method: str, url: str, **content: Any) -> bytes:
    """A call of one sign-in. Raises ProviderFailure, or Refusal where the provider rejects it."""
    try:
        return call_provider(method, url, **content)
    except ProviderRefusal as answer:
        raise sign_in_refusal(str(answer)) from answer


def _object(body: bytes) -> dict[str, Any]:
    """Raises Refusal `sign_on_refused`."""
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as problem:
        raise claims_refusal(str(problem)) from problem


provider_classes = [SingleSignOnProvider]
