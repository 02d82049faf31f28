"""HTTP calls to the provider: a deadline for the whole call, a bounded body, no database connection held.

A request waits here for another server, so it gives its database connection back to the pool first. The
deadline covers names, connection, headers and body together, since a server that
sends a byte a second keeps within any limit on a single read.
"""

from __future__ import annotations

import asyncio
import ssl
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from time import monotonic
from typing import Any

from chatsite.database import give_back_connection

CALL_DEADLINE_S = 5.0
"""A healthy provider answers within a second; a sign-in makes at most three calls."""

MAX_BODY_BYTES = 1024 * 1024
"""Key sets and userinfo have a few kilobytes, a person in a thousand groups less than a hundred."""

MAX_CONCURRENT_CALLS = 8
"""Threads of one process that a stalled provider can occupy. Later calls wait within their deadline."""

REQUEST_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}
"""No compression is accepted: a few kilobytes could become gigabytes."""


class ProviderFailure(Exception):
    """The provider did not answer in time, or not by the standard; the message is for the log."""


class ProviderRefusal(ProviderFailure):
    """The provider rejected the call (a status of 400 to 499)."""


@cache
def _callers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(MAX_CONCURRENT_CALLS, "openid")


@cache
def _certificates() -> ssl.SSLContext:
    """Read once: parsing the list of authorities takes as long as a call."""
    import httpx

    return httpx.create_ssl_context()


def call_provider(method: str, url: str, *, auth: tuple[str, str] | None = None, **content: Any) -> bytes:
    """Make a call and return the body of an answer with status 200. `content`: `data`, `headers` of httpx.

    Raises ProviderFailure or ProviderRefusal. The call has a loop of its own in a thread of its own: it ends
    with its deadline, not with the request that happened to start it.
    """
    import httpx  # a tenth of a second that a start saves; no part of the call's deadline

    give_back_connection()
    ends = monotonic() + CALL_DEADLINE_S
    done = _callers().submit(lambda: asyncio.run(_answer(ends, auth, method, url, **content)))
    try:
        return done.result(ends - monotonic())
    except (TimeoutError, httpx.HTTPError, httpx.InvalidURL) as problem:
        done.cancel()
        reason = f"{type(problem).__name__} {problem}".strip()
        raise ProviderFailure(f"{method} {url}: no answer in time ({reason})") from problem


async def _answer(ends: float, auth: tuple[str, str] | None, method: str, url: str, **content: Any) -> bytes:
    import httpx

    async with asyncio.timeout(ends - monotonic()):
        # The whole call has its end; httpx would limit each of its steps.
        unlimited = httpx.Timeout(None)
        async with httpx.AsyncClient(
            verify=_certificates(), timeout=unlimited, headers=REQUEST_HEADERS
        ) as client:
            request = client.build_request(method, url, **content)
            response = await client.send(request, auth=auth, stream=True)
            body = bytearray()
            async for part in response.aiter_raw():
                body += part
                if len(body) > MAX_BODY_BYTES:
                    raise ProviderFailure(f"{method} {url}: the answer is longer than {MAX_BODY_BYTES} bytes")
    if response.status_code != httpx.codes.OK:
        kind = ProviderRefusal if response.is_client_error else ProviderFailure
        raise kind(f"{method} {url}: status {response.status_code}, {bytes(body[:200])!r}")
    return bytes(body)
