"""A small OpenID provider on loopback that can lie in every claim, sign with any key, stall and drip.

It speaks what the site speaks: discovery, keys, the authorization code flow with PKCE, userinfo. It is honest
unless a test says what is to be wrong.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.test import Client

from tests.support.waiting import PATIENCE_S

CLIENT_ID, CLIENT_SECRET = "chat", "s3cret"
LEFT_OUT = object()
"""As the value of a claim: the claim is missing."""

DISCOVERY, AUTHORIZE, TOKEN, KEYS, USERINFO = (
    "/.well-known/openid-configuration", "/authorize", "/token", "/keys", "/userinfo",
)  # fmt: skip
DRIP_S = 0.05
"""Between two bytes of an answer that drips: shorter than any limit on a single read."""


@cache
def key_named(name: str) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    """The same key for the same name, in one run. Names that begin with ec are of a curve."""
    if name.startswith("ec"):
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(65537, 2048)


def public_key(name: str) -> dict[str, Any]:
    """As it stands in a key set (RFC 7517)."""
    key = key_named(name)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        shown = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    else:
        shown = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {**shown, "kid": name, "use": "sig"}


@dataclass
class Grant:
    """What a code stands for."""

    nonce: str | None
    challenge: str
    redirect_uri: str


@dataclass
class OpenIDProvider:
    """What it says. `person` is the userinfo; `id_claims` and `metadata` replace single values, LEFT_OUT
    drops one; `answers` replaces whole answers by path.
    """

    person: Any = field(default_factory=dict)
    id_claims: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    published: list[str] = field(default_factory=lambda: ["first"])
    sign: Callable[[dict[str, Any]], str] | None = None
    stalled: set[str] = field(default_factory=set)
    dripping: set[str] = field(default_factory=set)
    asked: Counter[str] = field(default_factory=Counter)
    asked_with: dict[str, dict[str, str]] = field(default_factory=dict)
    url: str = ""
    _grants: dict[str, Grant] = field(default_factory=dict)
    _tokens: set[str] = field(default_factory=set)
    _going: threading.Event = field(default_factory=threading.Event)

    def go_on(self) -> None:
        """Answer whom was kept waiting, and everybody from now on."""
        self._going.set()

    # --- what it answers ----------------------------------------------------------------------
    def answer(self, path: str, query: dict[str, str], authorization: str) -> tuple[int, Any, dict[str, str]]:
        self.asked[path] += 1
        self.asked_with[path] = query
        if path in self.stalled:
            self._going.wait()
        if path in self.answers:
            status, body = self.answers[path]
            return status, body, {}
        route = {
            DISCOVERY: self._discovery, AUTHORIZE: self._authorize, TOKEN: self._token, KEYS: self._keys,
            USERINFO: self._userinfo,
        }.get(path)  # fmt: skip
        return route(query, authorization) if route else (404, {}, {})

    def _discovery(self, _query: dict[str, str], _authorization: str) -> tuple[int, Any, dict[str, str]]:
        told = {
            "issuer": self.url,
            "authorization_endpoint": self.url + AUTHORIZE,
            "token_endpoint": self.url + TOKEN,
            "jwks_uri": self.url + KEYS,
            "userinfo_endpoint": self.url + USERINFO,
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
            "response_types_supported": ["code"],
        }
        return 200, without_left_out(told | self.metadata), {}

    def _authorize(self, query: dict[str, str], _authorization: str) -> tuple[int, Any, dict[str, str]]:
        """The person has an account here and agrees at once."""
        code = secrets.token_urlsafe(16)
        assert query["client_id"] == CLIENT_ID
        assert query["code_challenge_method"] == "S256"
        self._grants[code] = Grant(query.get("nonce"), query["code_challenge"], query["redirect_uri"])
        answer = urlencode({"code": code, "state": query["state"]})
        return 302, b"", {"Location": f"{query['redirect_uri']}?{answer}"}

    def _token(self, query: dict[str, str], _authorization: str) -> tuple[int, Any, dict[str, str]]:
        grant = self._grants.pop(query.get("code", ""), None)
        digest = hashlib.sha256(query.get("code_verifier", "").encode()).digest()
        proof = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        client = (query.get("client_id"), query.get("client_secret"))
        if (
            grant is None
            or proof != grant.challenge
            or query.get("redirect_uri") != grant.redirect_uri
            or client != (CLIENT_ID, CLIENT_SECRET)
        ):
            return 400, {"error": "invalid_grant"}, {}
        token = secrets.token_urlsafe(16)
        self._tokens.add(token)
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": 300}
        if (id_token := self._id_token(grant)) is not None:
            answer["id_token"] = id_token
        return 200, answer, {}

    def _id_token(self, grant: Grant) -> str | None:
        now = int(time.time())
        person = self.person if isinstance(self.person, dict) else {}
        claims = {
            "iss": self.url, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "sub": person.get("sub", "1"),
            "nonce": grant.nonce or LEFT_OUT,
        }  # fmt: skip
        claims = without_left_out(claims | self.id_claims)
        return (self.sign or signed_by("first"))(claims)

    def _keys(self, _query: dict[str, str], _authorization: str) -> tuple[int, Any, dict[str, str]]:
        return 200, {"keys": [public_key(name) for name in self.published]}, {}

    def _userinfo(self, _query: dict[str, str], authorization: str) -> tuple[int, Any, dict[str, str]]:
        if authorization.removeprefix("Bearer ") not in self._tokens:
            return 401, {"error": "invalid_token"}, {}
        return 200, without_left_out(self.person), {}


def without_left_out(claims: Any) -> Any:
    if not isinstance(claims, dict):
        return claims
    return {name: value for name, value in claims.items() if value is not LEFT_OUT}


def signed_by(name: str, algorithm: str = "", **header: Any) -> Callable[[dict[str, Any]], str]:
    """Signs with the key of this name. `header` replaces what stands in the token's header."""
    algorithm = algorithm or ("ES256" if name.startswith("ec") else "RS256")
    headers = without_left_out({"kid": name} | header)

    def sign(claims: dict[str, Any]) -> str:
        # As bytes, since PyJWT writes no token whose claims it would not read.
        return jwt.api_jws.encode(json.dumps(claims).encode(), key_named(name), algorithm, headers)

    return sign


class _Handler(BaseHTTPRequestHandler):
    provider: OpenIDProvider

    def do_GET(self) -> None:
        self._answer(urlsplit(self.path).query)

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])).decode())

    def _answer(self, query: str) -> None:
        path = urlsplit(self.path).path
        fields = {name: values[-1] for name, values in parse_qs(query).items()}
        try:
            status, body, headers = self.provider.answer(path, fields, self.headers.get("Authorization", ""))
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            if path in self.provider.dripping:
                self._drip()
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)
        except (BrokenPipeError, ConnectionResetError):
            pass  # who asked has gone

    def _drip(self) -> None:
        """A body that never ends, byte by byte: no single read waits for long."""
        self.end_headers()
        while True:
            self.wfile.write(b" ")
            time.sleep(DRIP_S)

    def log_message(self, *_: Any) -> None:
        """The test says what matters."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


_PORTS: set[int] = set()


@contextmanager
def running(provider: OpenIDProvider) -> Iterator[OpenIDProvider]:
    """Serve on a port that none had before, until the end: the site caches what an address publishes."""
    handler = type("Handler", (_Handler,), {"provider": provider})
    server = _Server(("127.0.0.1", 0), handler)
    while server.server_port in _PORTS:
        server.server_close()
        server = _Server(("127.0.0.1", 0), handler)
    _PORTS.add(server.server_port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    provider.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield provider
    finally:
        provider.go_on()
        server.shutdown()
        thread.join()
        server.server_close()


# --- a browser's part -------------------------------------------------------------------------
def started(client: Client, process: str = "login", **query: str) -> Any:
    """The button on the sign-in page: where it leads."""
    return client.post("/accounts/oidc/sso/login/?" + urlencode({"process": process, **query}))


def leads_to(answer: Any) -> str:
    """The provider's page, to which a start leads; empty where it was refused."""
    found = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', answer.content.decode())
    return html.unescape(found[1]) if found else ""


def consented(location: str) -> str:
    """The provider's own page, on which the person agrees: the way back to the site, path and query."""
    answer = httpx.get(location, trust_env=False, timeout=PATIENCE_S)
    assert answer.status_code == 302, answer.text
    back = urlsplit(answer.headers["Location"])
    return f"{back.path}?{back.query}"


def signed_in_through(client: Client, process: str = "login", **query: str) -> Any:
    """The whole flow: button, consent, callback."""
    answer = started(client, process, **query)
    return client.get(consented(leads_to(answer))) if answer.status_code == 200 else answer


def person_of(client: Client) -> str:
    """Whose session this is: the account's id, or empty."""
    return str(client.session.get("_auth_user_id", ""))
