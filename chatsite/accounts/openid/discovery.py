"""The provider's discovery document and signing keys, fetched by one thread at a time and cached for a while.

They are cached in the process, not in Redis: whoever could write there would choose the keys by which people
sign in.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import cache
from time import monotonic
from typing import Any, Generic, TypeVar

import msgspec

from chatsite.accounts.openid.provider_calls import ProviderFailure, call_provider
from chatsite.database import give_back_connection

T = TypeVar("T")

MAX_AGE_S = 600.0
"""A key that the provider withdraws is accepted for ten minutes at most."""

FAILURE_MAX_AGE_S = 5.0
"""How long a failure is cached: a stalled provider is asked every few seconds, by one thread."""

KEYS_REFETCH_S = 10.0
"""Keys older than this are fetched again for a token with an unknown key id; invented ids cost little."""

WELL_KNOWN = "/.well-known/openid-configuration"


class Metadata(msgspec.Struct, frozen=True):
    """The parts that are used of OpenID Connect Discovery 1.0, section 3."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    token_endpoint_auth_methods_supported: list[str] = []

    @property
    def takes_secret_in_header(self) -> bool:
        """Whether the client secret goes in the header: only if the provider does not take it in the body."""
        methods = self.token_endpoint_auth_methods_supported
        return "client_secret_post" not in methods and "client_secret_basic" in methods


class KeySet(msgspec.Struct, frozen=True):
    """JSON Web Keys (RFC 7517) as they were sent; `id_token` chooses among them."""

    keys: list[dict[str, Any]]


class CachedFetch(Generic[T]):
    """A cached result of `fetch`. Callers during a fetch wait for the same result or failure."""

    def __init__(self, fetch: Callable[[], T]) -> None:
        self._fetch = fetch
        self._lock = threading.Lock()
        self._last: Future[T] = Future()
        self._began = -MAX_AGE_S

    def get(self, max_age_s: float = MAX_AGE_S) -> T:
        """The result, at most this old; a failure is cached for FAILURE_MAX_AGE_S. Raises ProviderFailure."""
        with self._lock:
            mine = self._is_old(max_age_s)
            if mine:
                self._last, self._began = Future(), monotonic()
            last = self._last
        if mine:
            self._fill(last)
        elif not last.done():
            give_back_connection()
        try:
            return last.result()
        except ProviderFailure as failure:
            raise ProviderFailure(str(failure)) from failure

    def _is_old(self, max_age_s: float) -> bool:
        age = monotonic() - self._began
        if not self._last.done():
            return age >= MAX_AGE_S  # never fetched
        return age >= (FAILURE_MAX_AGE_S if self._last.exception() else max_age_s)

    def _fill(self, last: Future[T]) -> None:
        try:
            last.set_result(self._fetch())
        except BaseException as problem:
            last.set_exception(problem)
        self._began = monotonic()


class ProviderDocuments:
    """Metadata and keys of the provider at this address; plain HTTP only for development."""

    def __init__(self, server_url: str, *, allow_http: bool) -> None:
        self._issuer = server_url.removesuffix(WELL_KNOWN).rstrip("/")
        self._allow_http = allow_http
        self._metadata = CachedFetch(self._fetch_metadata)
        self._keys = CachedFetch(self._fetch_keys)

    def metadata(self) -> Metadata:
        """Raises ProviderFailure."""
        return self._metadata.get()

    def keys(self, max_age_s: float = MAX_AGE_S) -> KeySet:
        """Raises ProviderFailure."""
        return self._keys.get(max_age_s)

    def _fetch_metadata(self) -> Metadata:
        url = self._issuer + WELL_KNOWN
        self._check_https(url)
        metadata = _decoded(call_provider("GET", url), Metadata, url)
        if metadata.issuer.rstrip("/") != self._issuer:
            raise ProviderFailure(
                f"{url} names the issuer {metadata.issuer!r}: CHATSITE_OIDC_SERVER must be that address."
            )
        for address in (
            metadata.authorization_endpoint, metadata.token_endpoint, metadata.jwks_uri,
            metadata.userinfo_endpoint,
        ):  # fmt: skip
            if address is not None:
                self._check_https(address)
        return metadata

    def _fetch_keys(self) -> KeySet:
        url = self.metadata().jwks_uri
        return _decoded(call_provider("GET", url), KeySet, url)

    def _check_https(self, url: str) -> None:
        if url.startswith("https://") or (self._allow_http and url.startswith("http://")):
            return
        raise ProviderFailure(
            f"{url!r} is no https:// address; CHATSITE_OIDC_ALLOW_HTTP allows http:// for development."
        )


def provider_documents(server_url: str, *, allow_http: bool) -> ProviderDocuments:
    """One object for each provider, shared by all threads."""
    with _LOCK:
        return _documents(server_url, allow_http)


_LOCK = threading.Lock()


@cache
def _documents(server_url: str, allow_http: bool) -> ProviderDocuments:
    return ProviderDocuments(server_url, allow_http=allow_http)


def _decoded(body: bytes, schema: type[T], url: str) -> T:
    try:
        return msgspec.json.decode(body, type=schema)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as problem:
        raise ProviderFailure(f"{url}: the answer does not keep to OpenID Connect: {problem}") from problem
