"""HTTP/1.1 client of one vLLM server: models, health, metrics, tokenizer, streamed answers.

HTTP/1.1 and not 2: one connection per answer, so that closing the connection cancels it, which vLLM watches
for. A proxy in between must pass disconnects on and must not buffer.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, TypeVar

import httpx
import msgspec

from inference.control_tokens import AddedToken, control_tokens
from inference.engines.remote.chat import Chunk, EventStream
from inference.engines.remote.server_metrics import ServerMetrics, parse_metrics
from inference.request import ChatMessage, Fault

T = TypeVar("T")

CONNECT_TIMEOUT_S = 5.0
"""Timeout for connecting: in one data centre it takes milliseconds."""

PROBE_TIMEOUT_S = 10.0
"""Timeout of health and metrics: a busy server answers late."""

REQUEST_TIMEOUT_S = 30.0
"""Timeout of requests that take work: its tokenizer's table, the tokens of a long prompt."""

KEPT_CONNECTIONS = 32
"""Idle connections to reuse: beyond that many at once, opening one more costs a millisecond."""

MAX_EXCERPT_CHARS = 300
"""Characters of an unexpected answer that an error shows."""

NO_SUCH_ROUTE = (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED)
"""Statuses of a server that lacks a route."""


class ServerTroubleError(Exception):
    """The server cannot be reached or is failing; another one might answer."""

    def __init__(self, message: str, *, unreachable: bool = False) -> None:
        super().__init__(message)
        self.unreachable = unreachable


class RequestRefusedError(Exception):
    """The server refuses this one request, and would again. `message` is the server's own text, for the user;
    the error's text adds the address, for the log. `fault`: "server" where any request of ours is refused."""

    def __init__(self, log_message: str, message: str = "", fault: Fault = "request") -> None:
        super().__init__(log_message)
        self.message = message
        self.fault = fault


class ModelCard(msgspec.Struct):
    """One entry of /v1/models. `max_model_len` is vLLM's own addition."""

    id: str
    max_model_len: int | None = None


class ModelList(msgspec.Struct):
    data: list[ModelCard]


class TokenizeResponse(msgspec.Struct):
    count: int


class Server:
    """Client of one server. `url` has no `/v1`; `alive`, `misses`, `trouble` (why it is left out) and
    `metrics` are kept by the ReplicaPool."""

    def __init__(self, url: str, api_key: str) -> None:
        self.url = url
        self.alive = False
        self.takes_priority = True
        self.misses = 0
        self.trouble = ""
        self.metrics = ServerMetrics()
        headers = {"Accept-Encoding": "identity"}
        if api_key:
            headers["Authorization"] = f"Bearer {api_key}"
        self._client = httpx.AsyncClient(
            base_url=url,
            headers=headers,
            # The dispatcher has the deadlines of answers.
            timeout=httpx.Timeout(None, connect=CONNECT_TIMEOUT_S),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=KEPT_CONNECTIONS),
            # The system's certificates: internal servers are often signed by a company CA.
            verify=ssl.create_default_context() if url.startswith("https:") else False,
            # Internal servers: a web proxy would buffer streams and hide disconnects.
            trust_env=False,
        )

    async def models(self) -> list[ModelCard]:
        """The models it serves. Raises ServerTroubleError."""
        found = await self._request("/v1/models")
        return _decode(self._checked_body(found, "/v1/models"), ModelList).data

    async def check_health(self) -> None:
        """Raise ServerTroubleError unless /health answers 200; without that route, unless /v1/models does."""
        response = await self._request("/health", timeout_s=PROBE_TIMEOUT_S)
        if response.status_code in NO_SUCH_ROUTE:
            await self.models()
        elif response.status_code != HTTPStatus.OK:
            raise ServerTroubleError(f"{self.url}/health says {response.status_code}.")

    async def read_metrics(self) -> ServerMetrics:
        """The server's metrics; zeros where it publishes none. Raises ServerTroubleError."""
        response = await self._request("/metrics", timeout_s=PROBE_TIMEOUT_S)
        return parse_metrics(response.text) if response.status_code == HTTPStatus.OK else ServerMetrics()

    async def added_tokens(self) -> list[str] | None:
        """The model's control tokens; None where the server does not list them.

        Raises ServerTroubleError, RequestRefusedError.
        """
        response = await self._request("/tokenizer_info")
        if response.status_code in NO_SUCH_ROUTE:
            return None
        return _added_tokens(_decode(self._checked_body(response, "/tokenizer_info"), dict[str, Any]))

    async def count_tokens(self, model: str, messages: Sequence[ChatMessage]) -> int | None:
        """The prompt's tokens, template included; None where there is no /tokenize.

        Raises ServerTroubleError, RequestRefusedError.
        """
        body = msgspec.json.encode({"model": model, "messages": list(messages)})
        response = await self._request("/tokenize", body)
        if response.status_code in NO_SUCH_ROUTE:
            return None
        return _decode(self._checked_body(response, "/tokenize"), TokenizeResponse).count

    async def answer(self, body: bytes) -> AsyncIterator[list[Chunk]]:
        """The chunks of one answer as they arrive; closing the iterator cancels it at the server.

        Raises RequestRefusedError, and ServerTroubleError also when the stream ends before its end.
        """
        events = EventStream()
        try:
            async with self._open(body) as response:
                async for data in response.aiter_raw():
                    chunks = events.feed(data)
                    if chunks:
                        yield chunks
        except httpx.HTTPError as error:
            raise self._server_trouble(error) from error
        except msgspec.DecodeError as error:
            raise ServerTroubleError(f"{self.url} sent what is no chunk of an answer: {error}") from error
        if not events.done:
            raise ServerTroubleError(f"{self.url} ended an answer before its end.")

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    @asynccontextmanager
    async def _open(self, body: bytes) -> AsyncIterator[httpx.Response]:
        headers = {"Content-Type": "application/json"}
        async with self._client.stream(
            "POST", "/v1/chat/completions", content=body, headers=headers
        ) as response:
            if response.status_code != HTTPStatus.OK:
                await response.aread()
                self._checked_body(response, "/v1/chat/completions")
            yield response

    async def _request(
        self, path: str, body: bytes | None = None, timeout_s: float = REQUEST_TIMEOUT_S
    ) -> httpx.Response:
        try:
            async with asyncio.timeout(timeout_s):
                if body is None:
                    return await self._client.get(path)
                headers = {"Content-Type": "application/json"}
                return await self._client.post(path, content=body, headers=headers)
        except TimeoutError:
            raise ServerTroubleError(f"{self.url}{path} did not answer within {timeout_s:g} s.") from None
        except httpx.HTTPError as error:
            raise self._server_trouble(error) from error

    def _checked_body(self, response: httpx.Response, path: str) -> bytes:
        """The body of a 200; other statuses raise by whose fault it is, the server's or the request's."""
        status = response.status_code
        if status == HTTPStatus.OK:
            return response.content
        message = _error_message(response)
        described = f"{message} ({self.url}{path}: {status})"
        # 404: it has not this model, or is no such server; another one may be.
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in (
            HTTPStatus.TOO_MANY_REQUESTS,
            HTTPStatus.REQUEST_TIMEOUT,
            HTTPStatus.NOT_FOUND,
        ):
            raise ServerTroubleError(described)
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise RequestRefusedError(f"{described} Check CHATSITE_REMOTE_API_KEY.", fault="server")
        raise RequestRefusedError(described, message)

    def _server_trouble(self, error: httpx.HTTPError) -> ServerTroubleError:
        unreachable = isinstance(error, httpx.ConnectError)
        return ServerTroubleError(
            f"{self.url} is not reachable: {error or type(error).__name__}", unreachable=unreachable
        )


def _decode(content: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.DecodeError as error:
        raise ServerTroubleError(f"No answer of a vLLM server: {error}") from error


def _error_message(response: httpx.Response) -> str:
    """The server's error message, in the formats of vLLM, OpenAI and FastAPI, or the beginning of its
    answer."""
    try:
        body: Any = msgspec.json.decode(response.content)
    except msgspec.DecodeError:
        return response.text[:MAX_EXCERPT_CHARS]
    if isinstance(body, dict):
        error = body.get("error", body)
        found = error.get("message") or error.get("detail") if isinstance(error, dict) else error
        if found:
            return str(found)
    return response.text[:MAX_EXCERPT_CHARS]


MARKUP = re.compile(r"^(<.+>|\[.+\])$", re.DOTALL)
"""`<think>`, `[INST]`: what a token that steers may look like."""


def _added_tokens(info: dict[str, Any]) -> list[str]:
    """The control tokens among what the tokenizer's configuration names.

    Those with a role are; of its table of added tokens those that steer by the template. The server does not
    say which of the others are special. A server that keeps its template to itself leaves the guess that all
    markup steers.
    """
    roles = [value for key, value in info.items() if key.endswith("_token")]
    for key in ("additional_special_tokens", "extra_special_tokens"):
        more = info.get(key) or []
        roles += more.values() if isinstance(more, dict) else more
    table = list((info.get("added_tokens_decoder") or {}).values())
    tokens = [AddedToken(0, text, special=True) for text in map(_content, roles) if text]
    tokens += [AddedToken(0, text, special=False) for text in map(_content, table) if text]
    template = info.get("chat_template") or "".join(
        text for text in map(_content, table) if MARKUP.match(text)
    )
    return sorted(control_tokens(tokens, str(template)))


def _content(entry: Any) -> str:
    text = entry.get("content") if isinstance(entry, dict) else entry
    return text if isinstance(text, str) else ""
