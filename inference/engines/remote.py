"""vLLM servers elsewhere behind the engine port: OpenAI-compatible, one or several with the same model.

Each request is one HTTP/1.1 stream, read by one task. What the streams bring within a few milliseconds is
handed on as one `Step`. Cancelling closes the connection; vLLM then frees the slot within two of its steps.

When a server fails, requests that it had not begun to answer move to another; those with text are dropped,
and keep it. Only when no server answers is the engine dead. Servers are looked at every second and come back
alone. What people read names no address; the log does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any, ClassVar, Literal

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
from inference.prompt import EstimateCounter, PromptCounter, TokenizerCounter, TokenizerMissingError
from inference.replicas.chat import chat_body
from inference.replicas.fleet import Fleet
from inference.replicas.flight import Flight
from inference.replicas.markup import MessageGuard, ShapeNeutraliser, message_guard
from inference.replicas.server import RequestRefusedError, Server, ServerTroubleError
from inference.replicas.settings import RemoteSettings
from inference.request import ChatMessage

logger = logging.getLogger(__name__)

GATHER_S = 0.005
"""A server writes the news of one step to one connection after the other, within milliseconds."""

TRIES = 3
"""Servers that may fail a request before it ends with an error: more failures are not the servers' alone."""

PAUSE_S = 0.5
"""Before one that is well but failed a request is asked again: a server that is full is so for moments."""

NOT_BEGUN = "The model's servers failed before they could begin to answer. Please try again."


class RemoteEngine(Engine):
    """One life: after EngineDiedError, build a new one, whose start() waits for a server to answer."""

    kind: ClassVar[Literal["vllm", "remote", "emulated"]] = "remote"

    def __init__(self, settings: RemoteSettings) -> None:
        self._settings = settings
        self._fleet = Fleet(settings, on_change=self._looked, on_down=self._server_down)
        self._guard: MessageGuard = ShapeNeutraliser()
        self._counter: PromptCounter = EstimateCounter()
        self._context = 0
        self._flights: dict[str, Flight] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._news: dict[str, Flight] = {}
        self._refused: list[Output] = []
        self._wake = asyncio.Event()
        self._steps = 0
        self._idle_steps = 0
        self._prompt_tokens = 0
        self._generation_tokens = 0
        self._death: str | None = None
        self._closed = False

    async def start(self, progress: Progress) -> EngineInfo:
        try:
            self._check_tokenizer()
            progress("Connecting to the vLLM servers", None)
            info = await self._fleet.start()
            self._guard = message_guard(self._settings.tokenizer, await self._fleet.added_tokens())
        except EngineStartError as error:
            await self.close()
            logger.error("%s", error)
            raise EngineStartError(self._fleet.named(str(error))) from error
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
            self._refused.append(Output(request.id, finish_reason="error", error=text))
            self._wake.set()
            return
        flight = self._flights[request.id] = Flight(request)
        flight.task = self._begin(self._fly(flight, body))

    async def abort(self, ids: Sequence[str]) -> None:
        for id in ids:
            if flight := self._flights.get(id):
                assert flight.task is not None
                flight.task.cancel()
                flight.end("cancelled")
                self._land(flight)

    async def steps(self) -> AsyncIterator[Step]:
        while not self._closed:
            if self._death is None:
                await self._wake.wait()
                await asyncio.sleep(GATHER_S)
            self._wake.clear()
            if self._news or self._refused or self._idle_steps:
                yield self._step()
            elif self._death is not None:
                raise EngineDiedError(self._death)

    async def count_tokens(self, messages: Sequence[ChatMessage]) -> int:
        """By a server's /tokenize; without that route by the tokenizer at hand, or else an estimate."""
        self._check_alive()
        guarded = self._guard.messages(messages)
        try:
            counted = await self._fleet.count_tokens(guarded)
        except RequestRefusedError as refusal:
            raise ValueError(self._fleet.named(refusal.words)) from refusal
        return self._counter.count(messages) if counted is None else counted

    def stats(self) -> EngineStats:
        """Our own requests and tokens; what only the servers know is up to a second old."""
        running = sum(flight.answered for flight in self._flights.values())
        figures = self._fleet.figures()
        return EngineStats(
            steps=self._steps,
            running=running,
            waiting=len(self._flights) - running,
            kv_usage=figures.kv_usage,
            prompt_tokens=self._prompt_tokens,
            generation_tokens=self._generation_tokens,
            prefix_queries=figures.prefix_queries,
            prefix_hits=figures.prefix_hits,
            preemptions=figures.preemptions,
        )

    async def close(self) -> None:
        self._closed = True
        self._let_all_go()
        self._wake.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._fleet.close()

    def _check_tokenizer(self) -> None:
        if self._settings.tokenizer is None:
            return
        try:
            self._counter = TokenizerCounter(self._settings.tokenizer)
        except TokenizerMissingError as error:
            raise EngineStartError(f"CHATSITE_REMOTE_TOKENIZER: {error}") from error

    def _check_alive(self) -> None:
        if self._closed or self._death is not None or not self._context:
            raise EngineDiedError(self._death or "The remote engine is not connected.")

    def _body(self, request: EngineRequest, with_priority: bool) -> bytes:
        messages = self._guard.messages(request.messages)
        limit = min(request.max_tokens, self._context)
        return chat_body(request, self._fleet.model, messages, limit, with_priority)

    async def _fly(self, flight: Flight, body: bytes) -> None:
        """One request until it ends, whatever goes wrong with it."""
        try:
            await self._travel(flight, body)
        except Exception:
            logger.exception("An answer broke off")
            if flight.begun:
                self._end(flight, "cancelled", "")
            else:
                self._end(flight, "error", "", NOT_BEGUN)

    async def _travel(self, flight: Flight, body: bytes) -> None:
        """From server to server until it ends, or until no server is left."""
        request, trouble = flight.request, ""
        for tries_left in reversed(range(TRIES)):
            server = flight.server = await self._fleet.take(request.affinity, request.priority)
            if server is None:
                break
            flight.begin_again()
            try:
                await self._read(flight, server, body)
                return
            except RequestRefusedError as refusal:
                logger.warning("A request was refused: %s", refusal)
                self._end(flight, "error", str(refusal), self._fleet.named(refusal.words))
                return
            except ServerTroubleError as error:
                trouble = str(error)
            except asyncio.CancelledError:
                if flight.finished or server.alive or not self._is_ours(flight):
                    raise
                # Not by our owner: the watch has given the server up.
                assert flight.task is not None
                flight.task.uncancel()
                trouble = f"{server.url} does not answer any more."
            finally:
                flight.server = None
                self._fleet.give_back(server)
            logger.warning("An answer broke off: %s", trouble)
            await self._fleet.check(server, trouble)
            if flight.begun:
                self._end(flight, "cancelled", trouble)
                return
            if server.alive and tries_left:
                await asyncio.sleep(PAUSE_S)
        self._end(flight, "error", trouble, NOT_BEGUN)

    async def _read(self, flight: Flight, server: Server, body: bytes) -> None:
        if not server.takes_priority:
            body = self._body(flight.request, with_priority=False)
        stream = server.answer(body)
        try:
            async for chunks in stream:
                for chunk in chunks:
                    if chunk.error is not None:
                        raise ServerTroubleError(f"{server.url}: {chunk.error.message}")
                    flight.take(chunk)
                if flight.unmeasured and flight.measuring is None:
                    flight.measuring = self._begin(self._measure(flight))
                self._tell(flight)
        except RequestRefusedError as refusal:
            if not (server.takes_priority and "priority" in str(refusal).lower()):
                raise
            logger.warning("%s takes no priorities: start it with --scheduling-policy priority.", server.url)
            server.takes_priority = False
            await self._read(flight, server, body)
            return
        except ServerTroubleError:
            if not flight.complete:
                raise
        finally:
            await stream.aclose()  # type: ignore[attr-defined]
        if flight.aborted:
            raise ServerTroubleError(f"{server.url} let go of a request.")
        flight.end_by_server()
        self._land(flight)

    async def _measure(self, flight: Flight) -> None:
        """Count the prompt of a server that does not tell while it answers: what was computed is charged,
        however the answer ends. By the tokenizer at hand, else by a server's, else it is estimated."""
        messages = flight.request.messages
        try:
            tokens = (
                await asyncio.to_thread(self._counter.count, messages)
                if self._settings.tokenizer is not None
                else await self.count_tokens(messages)
            )
        except (ValueError, EngineDiedError) as error:
            logger.warning("A prompt was not counted and is estimated: %s", error)
            tokens = EstimateCounter().count(messages)
        flight.measure(tokens)
        self._tell(flight)

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _is_ours(self, flight: Flight) -> bool:
        return self._flights.get(flight.request.id) is flight

    def _tell(self, flight: Flight) -> None:
        if self._is_ours(flight):
            self._news[flight.request.id] = flight
            self._wake.set()

    def _land(self, flight: Flight) -> None:
        """It has ended: one last output."""
        self._tell(flight)
        if flight.measuring is not None:
            flight.measuring.cancel()
        if self._is_ours(flight):
            del self._flights[flight.request.id]

    def _end(self, flight: Flight, finish: EngineFinish, trouble: str, words: str = "") -> None:
        """End it so, unless the whole engine has died: then its owner decides about everything.

        `words` are for who asked; "" leaves them to the owner.
        """
        if self._fleet.dead:
            self._die(trouble)
        elif self._is_ours(flight):
            flight.end(finish, words or None)
            self._land(flight)

    def _step(self) -> Step:
        flights, self._news = self._news, {}
        outputs, self._refused = self._refused, []
        self._prompt_tokens += sum(flight.untold_prompt_tokens for flight in flights.values())
        outputs += [flight.output() for flight in flights.values()]
        # A request gets at most one token of each step, so this many steps there were at least.
        witnessed = max((output.new_tokens for output in outputs), default=0)
        self._steps += max(witnessed, self._idle_steps, 1 if outputs else 0)
        self._idle_steps = 0
        self._generation_tokens += sum(output.new_tokens for output in outputs)
        return Step(tuple(outputs), self.stats())

    def _looked(self) -> None:
        """A server's figures have changed: it steps, even while a long prompt brings no text."""
        self._idle_steps = 1
        self._wake.set()

    def _server_down(self, server: Server) -> None:
        """The watch gave it up: whoever reads from it must not wait for ever."""
        if self._fleet.dead:
            self._die(f"{server.url} does not answer any more.")
        for flight in list(self._flights.values()):
            if flight.server is server and flight.task is not None:
                flight.task.cancel()

    def _die(self, reason: str) -> None:
        if self._death is None:
            logger.error("No vLLM server answers. %s", reason)
            self._death = "No vLLM server answers."
            self._let_all_go()
            self._wake.set()

    def _let_all_go(self) -> None:
        """Without outputs: their owner learns of the end by steps()."""
        flights, self._flights = self._flights, {}
        for flight in flights.values():
            if flight.task is not None:
                flight.task.cancel()
