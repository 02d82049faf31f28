"""ID token validation: signature, issuer, audience, nonce, expiry (OpenID Connect Core 3.1.3.7).

The signature is checked although the token comes from the provider itself over TLS, so that sign-in does not
depend on TLS alone. PyJWT does the cryptography.
"""

from __future__ import annotations

from typing import Any

import jwt
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _

from chatsite.accounts.openid.claims import claims_refusal
from chatsite.accounts.openid.discovery import KeySet

ALGORITHMS = {
    "RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "EC": ("ES256", "ES384", "ES512"),
    "OKP": ("EdDSA",),
}
"""Accepted algorithms by key type. Only asymmetric ones: no HMAC with a shared secret, never "none"."""

LEEWAY_S = 30
"""Largest accepted difference between the provider's clock and ours."""


class UnknownKey(Exception):
    """The token names a key that is not among these; the provider may have a new one."""


def verified_claims(token: Any, keys: KeySet, *, issuer: str, client_id: str, nonce: str) -> dict[str, Any]:
    """Validate the token for this sign-in and return its claims.

    Raises UnknownKey, or Refusal `sign_on_refused` with the reason.
    """
    if not isinstance(token, str):
        raise claims_refusal(_("there is no id token"))
    try:
        algorithm, key = _key_of(jwt.get_unverified_header(token), keys)
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            issuer=issuer,
            audience=client_id,
            leeway=LEEWAY_S,
            options={"require": ["iss", "sub", "aud", "exp", "iat"], "enforce_minimum_key_length": True},
        )
    # A number or list where the other is expected goes through some of PyJWT's own checks.
    except (jwt.PyJWTError, TypeError, ValueError, OverflowError) as problem:
        raise claims_refusal(
            _("the id token does not hold (%(problem)s)") % {"problem": problem}
        ) from problem
    _check_authorized_party(claims, client_id)
    if not isinstance(claims.get("nonce"), str) or not constant_time_compare(claims["nonce"], nonce):
        raise claims_refusal(_("the id token belongs to another sign-in"))
    return claims


def _check_authorized_party(claims: dict[str, Any], client_id: str) -> None:
    """`azp` must name this site where it is present, and must be present with several audiences."""
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if ("azp" in claims or several) and claims.get("azp") != client_id:
        raise claims_refusal(_("the id token was made for another site"))


def _key_of(header: dict[str, Any], keys: KeySet) -> tuple[str, Any]:
    """The algorithm and key of the token, by the key id in its header. Raises UnknownKey."""
    algorithm, name = header.get("alg"), header.get("kid")
    fit = [
        key
        for key in keys.keys
        if algorithm in ALGORITHMS.get(str(key.get("kty")), ())
        and key.get("alg", algorithm) == algorithm
        and key.get("use", "sig") == "sig"
        and (name is None or key.get("kid") == name)
    ]
    if len(fit) != 1:
        raise UnknownKey(f"{len(fit)} keys of the provider fit kid {name!r} and alg {algorithm!r}")
    return str(algorithm), jwt.PyJWK(fit[0], algorithm=str(algorithm)).key
