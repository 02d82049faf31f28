"""One vLLM server over HTTP/1.1: its model, its health, its counters, its answers.

HTTP/1.1 and not 2: one connection per answer, so that closing the connection is the cancel, which vLLM
watches for. A proxy between here and there must pass disconnects on and must not buffer.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, TypeVar

import httpx
import msgspec

from inference.control_tokens import AddedToken, control_tokens
from inference.replicas.chat import Chunk, EventStream
from inference.replicas.figures import Figures, read_figures
from inference.request import ChatMessage

T = TypeVar("T")

CONNECT_S = 5.0
"""To reach a server: in one data centre it takes milliseconds."""

PROBE_S = 10.0
"""For its health and counters. A server that is busy with its engine answers late, not never."""

ASK_S = 30.0
"""For what it has to work for: its tokenizer's table, a long prompt's tokens. As long as a person waits."""

KEPT_CONNECTIONS = 32
"""Idle connections to reuse: beyond that many at once, opening one more costs a millisecond."""

EXCERPT = 300
"""Characters of an unexpected answer that an error shows."""

ABSENT = (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED)
"""How a server says that it has no such route."""


class ServerTroubleError(Exception):
    """The server cannot be reached or is failing; another one might answer."""

    def __init__(self, message: str, *, unreachable: bool = False) -> None:
        super().__init__(message)
        self.unreachable = unreachable


class RequestRefusedError(Exception):
    """The server refuses this one request, and would again. `words` are the server's own, for who asked;
    the message adds where, for the log."""

    def __init__(self, message: str, words: str = "") -> None:
        super().__init__(message)
        self.words = words


class ModelCard(msgspec.Struct):
    """One entry of /v1/models. `max_model_len` is vLLM's own addition."""

    id: str
    max_model_len: int | None = None


class Models(msgspec.Struct):
    data: list[ModelCard]


class Counted(msgspec.Struct):
    count: int


class Server:
    """`url` has no `/v1`. `alive`, `misses` and `figures` are kept by whoever watches it."""

    def __init__(self, url: str, api_key: str) -> None:
        self.url = url
        self.alive = False
        self.takes_priority = True
        self.misses = 0
        self.figures = Figures()
        headers = {"Accept-Encoding": "identity"}
        if api_key:
            headers["Authorization"] = f"Bearer {api_key}"
        self._client = httpx.AsyncClient(
            base_url=url,
            headers=headers,
            # How long an answer may take is the dispatcher's to say.
            timeout=httpx.Timeout(None, connect=CONNECT_S),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=KEPT_CONNECTIONS),
            # The machine's own certificates: such servers are often signed by the house.
            verify=ssl.create_default_context() if url.startswith("https:") else False,
            # One's own servers: a proxy for the web would buffer streams and hide disconnects.
            trust_env=False,
        )

    async def models(self) -> list[ModelCard]:
        """The models it serves. Raises ServerTroubleError."""
        found = await self._ask("/v1/models")
        return _decode(self._said(found, "/v1/models"), Models).data

    async def check_health(self) -> None:
        """Raises ServerTroubleError unless it says that it is well; without /health, its models count."""
        response = await self._ask("/health", timeout_s=PROBE_S)
        if response.status_code in ABSENT:
            await self.models()
        elif response.status_code != HTTPStatus.OK:
            raise ServerTroubleError(f"{self.url}/health says {response.status_code}.")

    async def read_figures(self) -> Figures:
        """Its counters; zeros where it publishes none. Raises ServerTroubleError."""
        response = await self._ask("/metrics", timeout_s=PROBE_S)
        return read_figures(response.text) if response.status_code == HTTPStatus.OK else Figures()

    async def added_tokens(self) -> list[str] | None:
        """The model's control tokens; None where the server was not started to tell.

        Raises ServerTroubleError, RequestRefusedError.
        """
        response = await self._ask("/tokenizer_info")
        if response.status_code in ABSENT:
            return None
        return _added_tokens(_decode(self._said(response, "/tokenizer_info"), dict[str, Any]))

    async def count_tokens(self, model: str, messages: Sequence[ChatMessage]) -> int | None:
        """The prompt's tokens, template included; None where there is no /tokenize.

        Raises ServerTroubleError, RequestRefusedError.
        """
        body = msgspec.json.encode({"model": model, "messages": list(messages)})
        response = await self._ask("/tokenize", body)
        if response.status_code in ABSENT:
            return None
        return _decode(self._said(response, "/tokenize"), Counted).count

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
            raise self._trouble(error) from error
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
                self._said(response, "/v1/chat/completions")
            yield response

    async def _ask(self, path: str, body: bytes | None = None, timeout_s: float = ASK_S) -> httpx.Response:
        try:
            async with asyncio.timeout(timeout_s):
                if body is None:
                    return await self._client.get(path)
                headers = {"Content-Type": "application/json"}
                return await self._client.post(path, content=body, headers=headers)
        except TimeoutError:
            raise ServerTroubleError(f"{self.url}{path} did not answer within {timeout_s:g} s.") from None
        except httpx.HTTPError as error:
            raise self._trouble(error) from error

    def _said(self, response: httpx.Response, path: str) -> bytes:
        """The body of a good answer; others by their status: whose fault it is."""
        status = response.status_code
        if status == HTTPStatus.OK:
            return response.content
        words = _message(response)
        told = f"{words} ({self.url}{path}: {status})"
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
            raise ServerTroubleError(told)
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise RequestRefusedError(f"{told} Check CHATSITE_REMOTE_API_KEY.")
        raise RequestRefusedError(told, words)

    def _trouble(self, error: httpx.HTTPError) -> ServerTroubleError:
        unreachable = isinstance(error, httpx.ConnectError)
        return ServerTroubleError(
            f"{self.url} is not reachable: {error or type(error).__name__}", unreachable=unreachable
        )


def _decode(content: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.DecodeError as error:
        raise ServerTroubleError(f"No answer of a vLLM server: {error}") from error


def _message(response: httpx.Response) -> str:
    """The server's own words, in the shapes of vLLM, OpenAI and FastAPI, or how its answer begins."""
    try:
        said: Any = msgspec.json.decode(response.content)
    except msgspec.DecodeError:
        return response.text[:EXCERPT]
    if isinstance(said, dict):
        error = said.get("error", said)
        found = error.get("message") or error.get("detail") if isinstance(error, dict) else error
        if found:
            return str(found)
    return response.text[:EXCERPT]


def _added_tokens(info: dict[str, Any]) -> list[str]:
    """The control tokens among what the tokenizer's configuration names.

    Those with a role are; of its table of added tokens those shaped as markup, for the server does not say
    which of the others are special, and some tokenizers add runs of blanks.
    """
    roles = [value for key, value in info.items() if key.endswith("_token")]
    for key in ("additional_special_tokens", "extra_special_tokens"):
        more = info.get(key) or []
        roles += more.values() if isinstance(more, dict) else more
    table = list((info.get("added_tokens_decoder") or {}).values())
    tokens = [AddedToken(0, text, special=True) for text in map(_content, roles) if text]
    tokens += [AddedToken(0, text, special=False) for text in map(_content, table) if text]
    return sorted(control_tokens(tokens))


def _content(entry: Any) -> str:
    text = entry.get("content") if isinstance(entry, dict) else entry
    return text if isinstance(text, str) else ""
