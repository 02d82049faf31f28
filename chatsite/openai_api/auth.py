"""Authentication of `/v1`: the API key in the Authorization header, its owner and its scopes."""

from __future__ import annotations

from django.core.cache import cache
from django.http import HttpRequest

from chatsite.accounts.keys import SHOWN_CHARS, find_key, key_digest, needs_touch, touch_key
from chatsite.accounts.models import ApiKey
from chatsite.database import read, write
from chatsite.openai_api.errors import ApiError
from chatsite.quotas.plans import check_feature, limits_of
from chatsite.ratelimit import check_wrong_keys, count_wrong_key
from chatsite.server.client_address import address_of_request

MAX_KEY_CHARS = 200
"""Of a header that can be a key; longer ones are not hashed."""


KNOWN_S = 3_600
"""How long after its use a good key is let in while others at its address send wrong ones."""


async def authenticate(request: HttpRequest, scope: ApiKey.Scope) -> ApiKey:
    """The key, with its owner. Raises ApiError: 401 for whoever is nobody, 403 for a missing scope;
    Refusal `not_in_plan` where the owner's plan leaves programs out, `rate_limited` where too many wrong keys
    came from there.
    """
    kind, _, text = request.headers.get("Authorization", "").partition(" ")
    text = text.strip()
    if kind.lower() != "bearer" or not text:
        raise ApiError(
            401, "You didn't provide an API key. Send it in a header: Authorization: Bearer YOUR_KEY."
        )
    key = await read(_find, text, address_of_request(request)) if len(text) <= MAX_KEY_CHARS else None
    if key is None:
        raise unknown_key_error(text[:SHOWN_CHARS])
    if scope not in key.scopes:
        raise ApiError(
            403,
            f"You have insufficient permissions for this operation. Missing scopes: {scope.value}.",
            code="missing_scope",
        )
    if needs_touch(key):
        await write(touch_key, key.id)
    return key


def _find(text: str, address: str) -> ApiKey | None:
    """Whoever guesses is refused before the database is asked, and holds up no key that was good lately."""
    known = f"good-key:{key_digest(text)}"
    if not cache.get(known):
        check_wrong_keys(address)
    key = find_key(text)
    if key is None:
        cache.delete(known)
        count_wrong_key(address)
        return None
    if needs_touch(key):
        cache.set(known, True, KNOWN_S)
    check_feature(limits_of(key.owner_id), "api")
    return key


def unknown_key_error(shown: str) -> ApiError:
    """401 for a key that is wrong, expired, revoked, or whose owner is not active: which one is not told."""
    return ApiError(
        401,
        f"Incorrect API key provided: {shown}***. It may have expired or been revoked. "
        "Keys are made in the settings.",
        code="invalid_api_key",
    )
