"""The remote engine: one or several vLLM servers with the same model, over the OpenAI-compatible API.

Each request is one HTTP/1.1 stream, read by one task. What the streams bring within a few milliseconds
becomes one `Step`. Cancelling closes the connection; vLLM then frees the slot within two of its steps.

When a server fails, requests without any output are retried on another; those with text end with what they
have. The engine dies only when no server answers. Servers are probed every second and used again once they
answer. Messages to users name no address; the log does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any, ClassVar, Literal

from inference.chat_template import TokenizerMissingError
from inference.engines.base import (
    Engine,
    EngineDiedError,
    EngineFinish,
    EngineInfo,
    EngineRequest,
    EngineStartError,
    EngineStats,
    Output,
    Progress,
    Step,
)
from inference.engines.remote.chat import chat_body
from inference.engines.remote.control_tokens import MessageGuard, ShapeNeutraliser, message_guard
from inference.engines.remote.in_flight_request import InFlightRequest
from inference.engines.remote.pool import ReplicaPool
from inference.engines.remote.server import RequestRefusedError, Server, ServerTroubleError
from inference.engines.remote.settings import RemoteSettings
from inference.prompt import EstimateCounter, PromptCounter, PromptTokenizer
from inference.request import ChatMessage, Fault

logger = logging.getLogger(__name__)

STEP_WINDOW_S = 0.005
"""A server writes the outputs of one step to one connection after the other, within milliseconds."""

MAX_ATTEMPTS = 3
"""Attempts before a request ends with an error: after three failures the request may be the cause."""

RETRY_PAUSE_S = 0.5
"""Before a healthy server that failed a request gets it again: an overload lasts moments."""

FAILED_BEFORE_START = "The model's servers failed before they could begin to answer. Please try again."


class RemoteEngine(Engine):
    """Adapter of the engine port for remote vLLM servers. Not restartable: after EngineDiedError, build a new
    one."""

    kind: ClassVar[Literal["vllm", "remote", "emulated"]] = "remote"

    def __init__(self, settings: RemoteSettings) -> None:
        self._settings = settings
        self.pool = ReplicaPool(settings, on_change=self._on_metrics_changed, on_down=self._on_server_down)
        self._guard: MessageGuard = ShapeNeutraliser()
        self._counter: PromptCounter = EstimateCounter()
        self._context = 0
        self._in_flight: dict[str, InFlightRequest] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._updated: dict[str, InFlightRequest] = {}
        self._refused: list[Output] = []
        self._wake = asyncio.Event()
        self._steps = 0
        self._polled_steps = 0
        self._prompt_tokens = 0
        self._generation_tokens = 0
        self._death: str | None = None
        self._closed = False

    async def start(self, progress: Progress) -> EngineInfo:
        try:
            self._check_tokenizer()
            progress("Connecting to the vLLM servers", None)
            info = await self.pool.start()
            self._guard = message_guard(self._settings.tokenizer, await self.pool.added_tokens())
        except EngineStartError as error:
            await self.close()
            logger.error("%s", error)
            raise EngineStartError(self.pool.redact(str(error))) from error
        except BaseException:
            await self.close()
            raise
        if isinstance(self._guard, ShapeNeutraliser):
            logger.warning(
                "The model's control tokens are not known here; they are recognised by shape. Set "
                "CHATSITE_REMOTE_TOKENIZER, or start vLLM with --enable-tokenizer-info-endpoint."
            )
        self._context = info.context_tokens
        progress("Ready", 1.0)
        return info

    async def add(self, request: EngineRequest) -> None:
        self._check_alive()
        try:
            body = self._body(request, with_priority=True)
        except UnicodeEncodeError as error:
            text = f"The text is not valid Unicode: {error}"
            self._refused.append(Output(request.id, finish_reason="error", error=text, fault="request"))
            self._wake.set()
            return
        in_flight = self._in_flight[request.id] = InFlightRequest(request)
        in_flight.task = self._create_task(self._run(in_flight, body))

    async def abort(self, ids: Sequence[str]) -> None:
        for id in ids:
            if in_flight := self._in_flight.get(id):
                assert in_flight.task is not None
                in_flight.task.cancel()
                in_flight.end("cancelled")
                self._finish(in_flight)

    async def steps(self) -> AsyncIterator[Step]:
        while not self._closed:
            if self._death is None:
                await self._wake.wait()
                await asyncio.sleep(STEP_WINDOW_S)
            self._wake.clear()
            if self._updated or self._refused or self._polled_steps:
                yield self._step()
            elif self._death is not None:
                raise EngineDiedError(self._death)

    async def count_tokens(self, messages: Sequence[ChatMessage]) -> int:
        """Count by a server's /tokenize; without that route by the local tokenizer, or else estimate."""
        self._check_alive()
        guarded = self._guard.messages(messages)
        try:
            counted = await self.pool.count_tokens(guarded)
        except RequestRefusedError as refusal:
            raise ValueError(self.pool.redact(refusal.message)) from refusal
        return self._counter.count(messages) if counted is None else counted

    def stats(self) -> EngineStats:
        """Requests and tokens of this engine; what only the servers know is up to a second old."""
        running = sum(in_flight.prefilled for in_flight in self._in_flight.values())
        metrics = self.pool.metrics()
        return EngineStats(
            steps=self._steps,
            running=running,
            waiting=len(self._in_flight) - running,
            kv_usage=metrics.kv_usage,
            prompt_tokens=self._prompt_tokens,
            generation_tokens=self._generation_tokens,
            prefix_queries=metrics.prefix_queries,
            prefix_hits=metrics.prefix_hits,
            preemptions=metrics.preemptions,
        )

    def server_of(self, id: str) -> str | None:
        """The address of the server that has this request now; None while it has none."""
        in_flight = self._in_flight.get(id)
        return in_flight.server.url if in_flight and in_flight.server else None

    async def close(self) -> None:
        self._closed = True
        self._drop_all()
        self._wake.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.pool.close()

    def _check_tokenizer(self) -> None:
        if self._settings.tokenizer is None:
            return
        try:
            self._counter = PromptTokenizer.read(self._settings.tokenizer)
        except TokenizerMissingError as error:
            raise EngineStartError(f"CHATSITE_REMOTE_TOKENIZER: {error}") from error

    def _check_alive(self) -> None:
        if self._closed or self._death is not None or not self._context:
            raise EngineDiedError(self._death or "The remote engine is not connected.")

    def _body(self, request: EngineRequest, with_priority: bool) -> bytes:
        messages = self._guard.messages(request.messages)
        limit = min(request.max_tokens, self._context)
        return chat_body(request, self.pool.model, messages, limit, with_priority)

    async def _run(self, in_flight: InFlightRequest, body: bytes) -> None:
        """Run one request to its end; unexpected errors end it, too."""
        try:
            await self._try_servers(in_flight, body)
        except Exception:
            logger.exception("An answer broke off")
            if in_flight.has_output:
                self._end(in_flight, "cancelled", "")
            else:
                self._end(in_flight, "error", "", FAILED_BEFORE_START)

    async def _try_servers(self, in_flight: InFlightRequest, body: bytes) -> None:
        """Try one server after the other until the request ends or no server is left."""
        request, trouble = in_flight.request, ""
        for attempts_left in reversed(range(MAX_ATTEMPTS)):
            server = in_flight.server = await self.pool.acquire(request.affinity, request.priority)
            if server is None:
                break
            in_flight.reset()
            try:
                await self._read(in_flight, server, body)
                return
            except RequestRefusedError as refusal:
                logger.warning("A request was refused: %s", refusal)
                said = self.pool.redact(refusal.message)
                self._end(in_flight, "error", str(refusal), said, refusal.fault)
                return
            except ServerTroubleError as error:
                trouble = str(error)
            except asyncio.CancelledError:
                if in_flight.finished or server.alive or not self._is_current(in_flight):
                    raise
                # Cancelled by _on_server_down, not by abort().
                assert in_flight.task is not None
                in_flight.task.uncancel()
                trouble = f"{server.url} does not answer any more."
            finally:
                in_flight.server = None
                self.pool.release(server)
            logger.warning("An answer broke off: %s", trouble)
            await self.pool.check(server, trouble)
            if in_flight.has_output:
                self._end(in_flight, "cancelled", trouble)
                return
            if server.alive and attempts_left:
                await asyncio.sleep(RETRY_PAUSE_S)
        self._end(in_flight, "error", trouble, FAILED_BEFORE_START)

    async def _read(self, in_flight: InFlightRequest, server: Server, body: bytes) -> None:
        if not server.takes_priority:
            body = self._body(in_flight.request, with_priority=False)
        stream = server.answer(body)
        try:
            async for chunks in stream:
                for chunk in chunks:
                    if chunk.error is not None:
                        raise ServerTroubleError(f"{server.url}: {chunk.error.message}")
                    in_flight.take(chunk)
                if in_flight.lacks_prompt_tokens and in_flight.counting is None:
                    in_flight.counting = self._create_task(self._count_prompt(in_flight))
                self._mark_updated(in_flight)
        except RequestRefusedError as refusal:
            if not (server.takes_priority and "priority" in str(refusal).lower()):
                raise
            logger.warning("%s takes no priorities: start it with --scheduling-policy priority.", server.url)
            server.takes_priority = False
            await self._read(in_flight, server, body)
            return
        except ServerTroubleError:
            if not in_flight.complete:
                raise
        finally:
            await stream.aclose()  # type: ignore[attr-defined]
        if in_flight.aborted:
            raise ServerTroubleError(f"{server.url} let go of a request.")
        in_flight.end_as_reported()
        self._finish(in_flight)

    async def _count_prompt(self, in_flight: InFlightRequest) -> None:
        """Count the prompt where the server does not report it while it streams: what was computed is
        charged, however the answer ends. By the local tokenizer, else by a server's, else it is estimated."""
        messages = in_flight.request.messages
        try:
            tokens = (
                await asyncio.to_thread(self._counter.count, messages)
                if self._settings.tokenizer is not None
                else await self.count_tokens(messages)
            )
        except (ValueError, EngineDiedError) as error:
            logger.warning("A prompt was not counted and is estimated: %s", error)
            tokens = EstimateCounter().count(messages)
        in_flight.set_prompt_tokens(tokens)
        self._mark_updated(in_flight)

    def _create_task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _is_current(self, in_flight: InFlightRequest) -> bool:
        return self._in_flight.get(in_flight.request.id) is in_flight

    def _mark_updated(self, in_flight: InFlightRequest) -> None:
        if self._is_current(in_flight):
            self._updated[in_flight.request.id] = in_flight
            self._wake.set()

    def _finish(self, in_flight: InFlightRequest) -> None:
        """The request has ended: emit its last output and forget it."""
        self._mark_updated(in_flight)
        if in_flight.counting is not None:
            in_flight.counting.cancel()
        if self._is_current(in_flight):
            del self._in_flight[in_flight.request.id]

    def _end(
        self,
        in_flight: InFlightRequest,
        finish: EngineFinish,
        trouble: str,
        message: str = "",
        fault: Fault = "server",
    ) -> None:
        """End a request, unless the whole engine has died: then steps() raises instead.

        `message` is for the user; "" leaves it to the dispatcher.
        """
        if self.pool.dead:
            self._die(trouble)
        elif self._is_current(in_flight):
            in_flight.end(finish, message or None, fault)
            self._finish(in_flight)

    def _step(self) -> Step:
        updated, self._updated = self._updated, {}
        outputs, self._refused = self._refused, []
        self._prompt_tokens += sum(in_flight.unreported_prompt_tokens for in_flight in updated.values())
        outputs += [in_flight.output() for in_flight in updated.values()]
        # A request gets at most one token per step, so there were at least this many steps.
        steps_seen = max((output.new_tokens for output in outputs), default=0)
        self._steps += max(steps_seen, self._polled_steps, 1 if outputs else 0)
        self._polled_steps = 0
        self._generation_tokens += sum(output.new_tokens for output in outputs)
        return Step(tuple(outputs), self.stats())

    def _on_metrics_changed(self) -> None:
        """A server's metrics have changed: it makes steps, even while a long prompt brings no text."""
        self._polled_steps = 1
        self._wake.set()

    def _on_server_down(self, server: Server) -> None:
        """A server was marked down: cancel its requests, which would wait for ever."""
        if self.pool.dead:
            self._die(f"{server.url} does not answer any more.")
        for in_flight in list(self._in_flight.values()):
            if in_flight.server is server and in_flight.task is not None:
                in_flight.task.cancel()

    def _die(self, reason: str) -> None:
        if self._death is None:
            logger.error("No vLLM server answers. %s", reason)
            self._death = "No vLLM server answers."
            self._drop_all()
            self._wake.set()

    def _drop_all(self) -> None:
        """Cancel all requests without outputs: steps() raises, which ends them."""
        dropped, self._in_flight = self._in_flight, {}
        for in_flight in dropped.values():
            if in_flight.task is not None:
                in_flight.task.cancel()
