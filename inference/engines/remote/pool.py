"""The replica pool: health of the remote engine's servers, and the assignment of requests to them.

Replicas are assumed alike: the same model, context and memory. One that is missing at start, or fails later,
is probed every second and used again when it answers and still serves the model.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from inference.engines.base import EngineDiedError, EngineInfo, EngineStartError
from inference.engines.remote.routing import AffinityRouter
from inference.engines.remote.server import ModelCard, RequestRefusedError, Server, ServerTroubleError
from inference.engines.remote.server_metrics import ServerMetrics
from inference.engines.remote.settings import RemoteSettings
from inference.request import ChatMessage

logger = logging.getLogger(__name__)

PROBE_INTERVAL_S = 1.0
"""Interval of the health probes: routing by stale data for a second costs a second at most."""

UNUSABLE = (ServerTroubleError, EngineStartError)
"""Why one server is left out: it does not answer, refuses us, or serves another model."""

MAX_MISSES = 3
"""Failed probes in a row that mark a server down. One that refuses connections is down at once."""


class ReplicaPool:
    """The servers of one model. Calls `on_change()` when a server's metrics changed, `on_down(server)` when
    it failed."""

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
        self._router = AffinityRouter()
        self._slot_queue = SlotQueue()
        self._monitors: list[asyncio.Task[None]] = []
        self.model = settings.model

    @property
    def alive(self) -> list[Server]:
        """The servers that answer."""
        return [server for server in self._servers.values() if server.alive]

    @property
    def dead(self) -> bool:
        """Whether no server answers."""
        return not self.alive

    @property
    def loads(self) -> dict[str, int]:
        """Requests that each server has now, by its address."""
        return dict(self._loads)

    @property
    def waiting_for_slot(self) -> int:
        """Requests that no server has a slot for."""
        return len(self._slot_queue)

    async def start(self) -> EngineInfo:
        """Connect to every server that can be used. Raises EngineStartError when none can."""
        if not self.model:
            self.model = await self._most_served()
        found = await asyncio.gather(*map(self._connect, self._servers.values()), return_exceptions=True)
        cards: list[ModelCard] = []
        troubles = []
        for server, problem in zip(self._servers.values(), found, strict=True):
            if isinstance(problem, ModelCard):
                cards.append(problem)
            elif isinstance(problem, UNUSABLE):
                logger.warning("A server is left out: %s", problem)
                server.trouble = str(problem)
                troubles.append(str(problem))
            elif isinstance(problem, BaseException):
                raise problem
        if not cards:
            raise EngineStartError("\n".join(["No vLLM server can be used.", *troubles]))
        info = self._info(cards)
        self._monitors = [asyncio.create_task(self._monitor(server)) for server in self._servers.values()]
        return info

    async def close(self) -> None:
        """Stop the probes and close all connections."""
        tasks = [*self._monitors, *self._checks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for server in self._servers.values():
            await server.close()

    async def acquire(self, affinity: str, priority: int = 0) -> Server | None:
        """Take a slot of a server until `release`; None when all servers are dead.

        Waits while all slots of the living servers are taken. The lowest `priority` is served first.
        """
        while True:
            assigned = self._slot_queue.add(affinity, priority)
            self._assign()
            try:
                server = await assigned
            except asyncio.CancelledError:
                if assigned.done() and not assigned.cancelled() and (server := assigned.result()):
                    self.release(server)
                raise
            if server is None or server.alive:
                return server
            self.release(server)  # it died in between

    def release(self, server: Server) -> None:
        """Give a slot back."""
        self._loads[server.url] -= 1
        self._assign()

    def redact(self, text: str) -> str:
        """The text without addresses, for users: servers by their number in CHATSITE_REMOTE_URLS."""
        numbers = {url: number for number, url in enumerate(self._servers, start=1)}
        for url in sorted(numbers, key=len, reverse=True):  # one may begin like another
            text = text.replace(url, f"server {numbers[url]}")
        return text

    async def check(self, server: Server, trouble: str) -> None:
        """A request failed: probe its server and mark it down if it is. Concurrent checks share one probe."""
        if not server.alive:
            return
        task = self._checks.get(server.url)
        if task is None:
            task = self._checks[server.url] = asyncio.create_task(self._check(server, trouble))
            task.add_done_callback(lambda _: self._checks.pop(server.url, None))
        await asyncio.shield(task)

    async def count_tokens(self, messages: Sequence[ChatMessage]) -> int | None:
        """Count by a server's /tokenize; None where there is none. Raises EngineDiedError,
        RequestRefusedError."""
        for server in self.alive:
            try:
                return await server.count_tokens(self.model, messages)
            except ServerTroubleError as trouble:
                await self.check(server, str(trouble))
        raise EngineDiedError("No vLLM server answers.")

    async def added_tokens(self) -> list[str] | None:
        """The control tokens, None where servers do not list them. Raises EngineStartError when none
        answers."""
        troubles = []
        for server in self.alive:
            try:
                return await server.added_tokens()
            except (ServerTroubleError, RequestRefusedError) as trouble:
                troubles.append(str(trouble))
        # Not None: a list that could not be read must not be replaced by a guess by shape.
        raise EngineStartError("\n".join(["The model's control tokens could not be asked for.", *troubles]))

    def metrics(self) -> ServerMetrics:
        """Counters of all living servers together, as of the last probe."""
        all_metrics = [server.metrics for server in self.alive] or [ServerMetrics()]
        return ServerMetrics(
            running=sum(metrics.running for metrics in all_metrics),
            waiting=sum(metrics.waiting for metrics in all_metrics),
            kv_usage=sum(metrics.kv_usage for metrics in all_metrics) / len(all_metrics),
            kv_tokens=sum(metrics.kv_tokens for metrics in all_metrics),
            prefix_queries=sum(metrics.prefix_queries for metrics in all_metrics),
            prefix_hits=sum(metrics.prefix_hits for metrics in all_metrics),
            preemptions=sum(metrics.preemptions for metrics in all_metrics),
        )

    def _assign(self) -> None:
        """Assign servers to waiting requests while there are free slots."""
        while request := self._slot_queue.first():
            alive = [server.url for server in self.alive]
            free = {url: self._loads[url] for url in alive if self._loads[url] < self._settings.slots}
            if alive and not free:
                return
            url = self._router.choose(free, request.affinity)
            if url is not None:
                self._loads[url] += 1
            request.server.set_result(None if url is None else self._servers[url])

    async def _most_served(self) -> str:
        """The model that most servers list first, of equals the earliest server's; empty where none answers.

        One server that was started with another model shall not choose for all.
        """
        found = await asyncio.gather(
            *(server.models() for server in self._servers.values()), return_exceptions=True
        )
        firsts = Counter(cards[0].id for cards in found if not isinstance(cards, BaseException) and cards)
        return firsts.most_common(1)[0][0] if firsts else ""

    async def _connect(self, server: Server) -> ModelCard:
        """Use this server if it is healthy and serves the model. Raises ServerTroubleError,
        EngineStartError."""
        try:
            cards = await server.models()
            await server.check_health()
        except RequestRefusedError as refusal:
            raise EngineStartError(str(refusal)) from refusal
        card = next((card for card in cards if card.id == self.model), None)
        if card is None:
            names = ", ".join(card.id for card in cards) or "none"
            raise EngineStartError(
                f"{server.url} does not serve {self.model!r} but {names}. All servers of "
                "CHATSITE_REMOTE_URLS serve one model; CHATSITE_REMOTE_MODEL names it."
            )
        server.metrics = await server.read_metrics()
        server.alive, server.misses = True, 0
        return card

    def _info(self, cards: list[ModelCard]) -> EngineInfo:
        settings, servers = self._settings, len(self._servers)
        contexts = [card.max_model_len for card in cards if card.max_model_len] + [
            settings.context_tokens or 0
        ]
        context = min((tokens for tokens in contexts if tokens), default=0)
        if not context:
            raise EngineStartError(
                f"{settings.urls[0]} does not say how long its context is (max_model_len in /v1/models). "
                "Set VLLM_MAX_MODEL_LEN to its tokens."
            )
        slots = settings.slots * servers
        kv_each = min(server.metrics.kv_tokens for server in self.alive)
        return EngineInfo(
            engine="remote",
            model=self.model,
            context_tokens=context,
            # A server that does not report its memory is trusted to hold what its slots may need.
            kv_tokens=kv_each * servers or context * slots,
            max_running=slots,
            structured=True,
            logprobs=True,
            raw_prompts=False,
        )

    async def _monitor(self, server: Server) -> None:
        while True:
            await asyncio.sleep(PROBE_INTERVAL_S)
            try:
                await (self._probe(server) if server.alive else self._reconnect(server))
            except Exception:  # an unexpected answer must not end the probes
                logger.exception("%s could not be probed", server.url)

    async def _probe(self, server: Server) -> None:
        before = server.metrics
        try:
            await server.check_health()
            server.metrics = await server.read_metrics()
        except (ServerTroubleError, RequestRefusedError) as trouble:
            server.misses += 1
            if server.misses >= MAX_MISSES or getattr(trouble, "unreachable", False):
                self._mark_down(server, str(trouble))
            return
        server.misses = 0
        # Without metrics a healthy answer counts as progress; requests still have their deadlines.
        if server.metrics != before or server.metrics == ServerMetrics():
            self._on_change()

    async def _reconnect(self, server: Server) -> None:
        try:
            await self._connect(server)
        except UNUSABLE as trouble:
            # Each reason once: it comes again with every probe.
            level = logging.DEBUG if server.trouble == str(trouble) else logging.WARNING
            logger.log(level, "A server is left out: %s", trouble)
            server.trouble = str(trouble)
        else:
            logger.warning("%s answers again.", server.url)
            server.trouble = ""
            self._assign()

    async def _check(self, server: Server, trouble: str) -> None:
        try:
            await server.check_health()
            if self.model not in [card.id for card in await server.models()]:
                raise ServerTroubleError(f"{server.url} does not serve {self.model!r} any more.")
        except (ServerTroubleError, RequestRefusedError) as error:
            self._mark_down(server, f"{trouble} {error}")

    def _mark_down(self, server: Server, reason: str) -> None:
        if server.alive:
            server.alive = False
            logger.error("%s is not used until it answers again: %s", server.url, reason)
            self._on_down(server)
            self._assign()


class SlotRequest(NamedTuple):
    """One request that waits for a slot; `seq` breaks ties, so that nothing after it is compared."""

    priority: int
    seq: int
    affinity: str
    server: asyncio.Future[Server | None]


class SlotQueue:
    """Requests that wait for a slot, by priority, then arrival. Done and cancelled futures are skipped."""

    def __init__(self) -> None:
        self._requests: list[SlotRequest] = []
        self._seq = 0

    def add(self, affinity: str, priority: int) -> asyncio.Future[Server | None]:
        """Join the queue; the future gets the server, or None when all are dead."""
        self._seq += 1
        server: asyncio.Future[Server | None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._requests, SlotRequest(priority, self._seq, affinity, server))
        return server

    def __len__(self) -> int:
        return sum(not request.server.done() for request in self._requests)

    def first(self) -> SlotRequest | None:
        """The next to be served; it stays first until its future is done."""
        while self._requests and self._requests[0].server.done():
            heapq.heappop(self._requests)
        return self._requests[0] if self._requests else None
