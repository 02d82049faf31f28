"""All servers of the remote engine: which live, what they are, which one gets the next request.

They are taken to be alike: the same model, context and memory. One that is missing at start, or fails later,
is looked for every second and used again when it answers and still serves the model.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from inference.engines.base import EngineDiedError, EngineInfo, EngineStartError
from inference.replicas.figures import Figures
from inference.replicas.line import Line
from inference.replicas.routing import Routing
from inference.replicas.server import ModelCard, RequestRefusedError, Server, ServerTroubleError
from inference.replicas.settings import RemoteSettings
from inference.request import ChatMessage

logger = logging.getLogger(__name__)

WATCH_S = 1.0
"""Between two looks at a server: a second of wrong routing costs no more than a second."""

MISSES = 3
"""Looks without an answer in time that make a server dead. One that refuses connections is dead at once."""


class Fleet:
    """`on_change()` follows a look at a server whose figures have changed, `on_down(server)` its end."""

    def __init__(
        self,
        settings: RemoteSettings,
        on_change: Callable[[], None],
        on_down: Callable[[Server], None],
    ) -> None:
        self._settings = settings
        self._on_change = on_change
        self._on_down = on_down
        self._servers = {url: Server(url, settings.api_key) for url in settings.urls}
        self._loads = dict.fromkeys(settings.urls, 0)
        self._checks: dict[str, asyncio.Task[None]] = {}
        self._routing = Routing()
        self._line = Line()
        self._watches: list[asyncio.Task[None]] = []
        self.model = settings.model

    @property
    def alive(self) -> list[Server]:
        return [server for server in self._servers.values() if server.alive]

    @property
    def dead(self) -> bool:
        """Whether no server is left."""
        return not self.alive

    async def start(self) -> EngineInfo:
        """Connect to every server that answers. Raises EngineStartError when none can be used."""
        found = await asyncio.gather(*map(self._connect, self._servers.values()), return_exceptions=True)
        cards: list[ModelCard] = []
        troubles = []
        for problem in found:
            if isinstance(problem, ModelCard):
                cards.append(problem)
            elif isinstance(problem, ServerTroubleError):
                logger.warning("%s", problem)
                troubles.append(str(problem))
            elif isinstance(problem, BaseException):
                raise problem
        if not cards:
            raise EngineStartError("\n".join(["No vLLM server can be used.", *troubles]))
        info = self._info(cards)
        self._watches = [asyncio.create_task(self._watch(server)) for server in self._servers.values()]
        return info

    async def close(self) -> None:
        """Stop looking and close all connections."""
        tasks = [*self._watches, *self._checks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for server in self._servers.values():
            await server.close()

    async def take(self, affinity: str, priority: int = 0) -> Server | None:
        """The server for one more request, counted as its load until `give_back`; None when all are dead.

        Waits while every living server has its slots full, as when another one is dead. The lowest
        `priority` is served first.
        """
        while True:
            waiting = self._line.join(affinity, priority)
            self._assign()
            try:
                server = await waiting
            except asyncio.CancelledError:
                if waiting.done() and not waiting.cancelled() and (server := waiting.result()):
                    self.give_back(server)
                raise
            if server is None or server.alive:
                return server
            self.give_back(server)  # it died before its turn had come

    def give_back(self, server: Server) -> None:
        """The server is done with one request."""
        self._loads[server.url] -= 1
        self._assign()

    def named(self, text: str) -> str:
        """The text for people: servers by their number among the addresses that are set."""
        numbers = {url: number for number, url in enumerate(self._servers, start=1)}
        for url in sorted(numbers, key=len, reverse=True):  # one may begin like another
            text = text.replace(url, f"server {numbers[url]}")
        return text

    async def check(self, server: Server, trouble: str) -> None:
        """A request met trouble: is it the server? However many ask at once, it is asked once."""
        if not server.alive:
            return
        task = self._checks.get(server.url)
        if task is None:
            task = self._checks[server.url] = asyncio.create_task(self._check(server, trouble))
            task.add_done_callback(lambda _: self._checks.pop(server.url, None))
        await asyncio.shield(task)

    async def count_tokens(self, messages: Sequence[ChatMessage]) -> int | None:
        """None where the servers have no /tokenize. Raises EngineDiedError, RequestRefusedError."""
        for server in self.alive:
            try:
                return await server.count_tokens(self.model, messages)
            except ServerTroubleError as trouble:
                await self.check(server, str(trouble))
        raise EngineDiedError("No vLLM server answers.")

    async def added_tokens(self) -> list[str] | None:
        """The control tokens, if a server tells them. Raises EngineStartError when none even answers."""
        troubles = []
        for server in self.alive:
            try:
                return await server.added_tokens()
            except (ServerTroubleError, RequestRefusedError) as trouble:
                troubles.append(str(trouble))
        # Not None: a list that was late must not become a guess by shape.
        raise EngineStartError("\n".join(["The model's control tokens could not be asked for.", *troubles]))

    def figures(self) -> Figures:
        """Counters of all living servers together, as of the last look."""
        all_figures = [server.figures for server in self.alive] or [Figures()]
        return Figures(
            running=sum(figures.running for figures in all_figures),
            waiting=sum(figures.waiting for figures in all_figures),
            kv_usage=sum(figures.kv_usage for figures in all_figures) / len(all_figures),
            kv_tokens=sum(figures.kv_tokens for figures in all_figures),
            prefix_queries=sum(figures.prefix_queries for figures in all_figures),
            prefix_hits=sum(figures.prefix_hits for figures in all_figures),
            preemptions=sum(figures.preemptions for figures in all_figures),
        )

    def _assign(self) -> None:
        """Give whoever waits a server, as far as there are slots."""
        while waiting := self._line.first():
            alive = [server.url for server in self.alive]
            free = {url: self._loads[url] for url in alive if self._loads[url] < self._settings.slots}
            if alive and not free:
                return
            url = self._routing.choose(free, waiting.affinity)
            if url is not None:
                self._loads[url] += 1
            waiting.server.set_result(None if url is None else self._servers[url])

    async def _connect(self, server: Server) -> ModelCard:
        """Use this server if it is well and serves the model. Raises ServerTroubleError, EngineStartError."""
        try:
            cards = await server.models()
            await server.check_health()
        except RequestRefusedError as refusal:
            raise EngineStartError(str(refusal)) from refusal
        if not self.model and cards:
            self.model = cards[0].id
        card = next((card for card in cards if card.id == self.model), None)
        if card is None:
            names = ", ".join(card.id for card in cards) or "none"
            raise EngineStartError(
                f"{server.url} does not serve {self.model!r} but {names}. All servers of "
                "CHATSITE_REMOTE_URLS serve one model; CHATSITE_REMOTE_MODEL names it."
            )
        server.figures = await server.read_figures()
        server.alive, server.misses = True, 0
        return card

    def _info(self, cards: list[ModelCard]) -> EngineInfo:
        settings, servers = self._settings, len(self._servers)
        told = [card.max_model_len for card in cards if card.max_model_len] + [settings.context_tokens or 0]
        context = min((tokens for tokens in told if tokens), default=0)
        if not context:
            raise EngineStartError(
                f"{settings.urls[0]} does not say how long its context is (max_model_len in /v1/models). "
                "Set VLLM_MAX_MODEL_LEN to its tokens."
            )
        slots = settings.slots * servers
        kv_each = min(server.figures.kv_tokens for server in self.alive)
        return EngineInfo(
            engine="remote",
            model=self.model,
            context_tokens=context,
            # A server that does not tell its memory is trusted to hold what its slots may ask for.
            kv_tokens=kv_each * servers or context * slots,
            max_running=slots,
            structured=True,
            logprobs=True,
            raw_prompts=False,
        )

    async def _watch(self, server: Server) -> None:
        while True:
            await asyncio.sleep(WATCH_S)
            try:
                await (self._look(server) if server.alive else self._bring_back(server))
            except Exception:  # an answer nobody thought of: who no longer looks would lose the server
                logger.exception("%s could not be looked at", server.url)

    async def _look(self, server: Server) -> None:
        before = server.figures
        try:
            await server.check_health()
            server.figures = await server.read_figures()
        except (ServerTroubleError, RequestRefusedError) as trouble:
            server.misses += 1
            if server.misses >= MISSES or getattr(trouble, "unreachable", False):
                self._give_up(server, str(trouble))
            return
        server.misses = 0
        # Where no figures are published, being well must do as a sign of life; deadlines judge each request.
        if server.figures != before or server.figures == Figures():
            self._on_change()

    async def _bring_back(self, server: Server) -> None:
        try:
            await self._connect(server)
        except (ServerTroubleError, EngineStartError) as trouble:
            logger.debug("%s", trouble)
        else:
            logger.warning("%s answers again.", server.url)
            self._assign()

    async def _check(self, server: Server, trouble: str) -> None:
        try:
            await server.check_health()
        except (ServerTroubleError, RequestRefusedError) as error:
            self._give_up(server, f"{trouble} {error}")

    def _give_up(self, server: Server, reason: str) -> None:
        if server.alive:
            server.alive = False
            logger.error("%s is not used until it answers again: %s", server.url, reason)
            self._on_down(server)
            self._assign()
