"""Doubles below the dispatcher: rows that enforce the conditional-update contract, a reader, a stage."""

import asyncio
import contextlib
import random
from collections import ChainMap
from dataclasses import dataclass

from inference.dispatch.dispatcher import Dispatcher, DispatcherSettings
from inference.dispatch.supervisor import Supervisor, SupervisorSettings
from inference.engines.base import EngineStartError
from inference.engines.emulated.engine import EmulatedEngine, EmulatedSettings
from inference.engines.emulated.timing import Timing
from inference.request import ChatMessage, Request, Sampling
from inference.scheduling.circuit_breaker import CircuitBreaker
from inference.scheduling.policy import Policy
from inference.scheduling.scheduler import Scheduler
from inference.stream_log.base import Delta, Finished, GapError, Snapshot
from inference.stream_log.memory import MemoryStreamLog
from tests.support.waiting import PATIENCE_S

OPEN = ("queued", "running")


@dataclass
class Row:
    attempt: int = 1
    status: str = "queued"
    text: str = ""
    seq: int = 0
    outcome: object = None
    ended: int = 0
    checkpoints: int = 0
    owned: bool = False


class Rows:
    """A store in memory. `failing` makes every call raise; `flaky` some, half of them after they wrote."""

    def __init__(self, rng=None):
        self.rows = {}
        self.failing = False
        self.flaky = 0.0
        self.delay_s = 0.0
        self.batches = []
        self._rng = rng or random.Random(0)

    def insert(self, generation):
        self.rows[generation] = Row()

    @contextlib.asynccontextmanager
    async def _call(self):
        await asyncio.sleep(self.delay_s)
        if self.failing:
            raise OSError("the database is away")
        unlucky = self._rng.random() < self.flaky
        if unlucky and self._rng.random() < 0.5:
            raise OSError("the connection was lost before")
        yield
        if unlucky:
            raise OSError("the connection was lost after")

    async def claim(self, claims):
        async with self._call():
            won = set()
            for claim in claims:
                row = self.rows.get(claim.generation)
                if row is None:  # erased
                    continue
                if (row.status, row.attempt) == ("queued", claim.attempt):
                    row.status, row.owned = "running", True
                if row.status == "running" and row.owned:
                    won.add(claim.generation)
        return won

    async def checkpoint(self, answers):
        async with self._call():
            for answer in answers:
                row = self.rows.get(answer.generation)
                if row is not None and (row.status, row.attempt) == ("running", answer.attempt):
                    assert answer.seq >= row.seq
                    row.text, row.seq = answer.text, answer.seq
                    row.checkpoints += 1

    async def finish(self, outcomes):
        async with self._call():
            self.batches.append(len(outcomes))
            won = {}
            for outcome in outcomes:
                row = self.rows.get(outcome.generation)
                if row is None:  # erased
                    continue
                if row.status in OPEN and row.attempt == outcome.attempt:
                    row.status, row.text, row.seq = outcome.status, outcome.text, outcome.seq
                    row.outcome = outcome
                    row.ended += 1
                if row.outcome == outcome:
                    won[outcome.generation] = outcome
        return won


class Reader:
    """A person's page: follows the log, and after a gap starts again from the row."""

    def __init__(self, log, rows, generation):
        self.text, self.seq, self.notices, self.end = "", 0, [], None
        self._log, self._rows, self._generation = log, rows, generation

    async def run(self):
        while self.end is None:
            try:
                async for batch in self._log.follow(self._generation, self.seq):
                    for event in batch:
                        self.take(event)
            except GapError:
                row = self._rows.rows[self._generation]
                self.text, self.seq = row.text, row.seq
                if row.outcome is not None:
                    self.end = row.outcome
                await asyncio.sleep(0.01)
        return self

    def take(self, event):
        if isinstance(event, Delta):
            assert event.seq == self.seq + 1
            self.text, self.seq = self.text + event.text, event.seq
        elif isinstance(event, Snapshot):
            self.text, self.seq = event.text, event.seq
        elif isinstance(event, Finished):
            self.end = event
        else:
            self.notices.append(event)


class BrokenEngine:
    """An engine on a machine without what it needs."""

    async def start(self, progress):
        raise EngineStartError("no such card")

    async def close(self):
        pass


class Stage:
    """A dispatcher with its real scheduler, supervisor, emulated engines and memory log, over `Rows`."""

    def __init__(
        self,
        *,
        timing=None,
        policy=None,
        answer_tokens=0,
        log=None,
        supervision=None,
        breaker=None,
        seed=0,
        **settings,
    ):
        self.timing = timing or Timing(step_s=0.002, max_running=64)
        self.engine_settings = EmulatedSettings(timing=self.timing, answer_tokens=answer_tokens)
        self.engines = []
        self.rows = Rows(random.Random(seed))
        self.clock = asyncio.get_running_loop().time
        self.log = log or MemoryStreamLog(clock=self.clock)
        self.policy = policy or Policy()
        self.scheduler = Scheduler(self.policy.fitted(self.timing.max_running), self.timing.kv_tokens)
        supervision = supervision or SupervisorSettings(
            hung_after_s=0.2, first_pause_s=0.01, longest_pause_s=0.05
        )
        self.supervisor = Supervisor(self.build, supervision)
        self.starts_fail = False
        self.breaker = breaker or CircuitBreaker(open_s=0.1)
        settings = DispatcherSettings(**{"epoch": 1, "tick_s": 0.02, **settings})
        self.dispatcher = Dispatcher(
            self.scheduler,
            self.supervisor,
            self.log,
            self.rows,
            settings,
            clock=self.clock,
            breaker=self.breaker,
        )
        self.lifecycle = self.dispatcher.lifecycle
        self.pages = {}
        self.readers = {}

    def build(self):
        if self.starts_fail:
            return BrokenEngine()
        engine = EmulatedEngine(self.engine_settings)
        engine.transcript = {}
        self.engines.append(engine)
        return engine

    @property
    def transcript(self):
        """What the engines say that they made; of a request that was started twice, the last start counts."""
        return ChainMap(*(engine.transcript for engine in reversed(self.engines)))

    @property
    def engine(self):
        return self.engines[-1]

    async def __aenter__(self):
        self.task = asyncio.create_task(self.dispatcher.run())
        return self

    async def __aexit__(self, *error):
        self.task.cancel()
        await asyncio.wait([self.task])
        await self.supervisor.close()
        for reader in self.readers.values():
            reader.cancel()
        await asyncio.gather(*self.readers.values(), return_exceptions=True)

    def ask(self, generation, *, tokens=20, content=None, user="alice", **fields):
        """Insert the row, enqueue its request, open the page."""
        if generation not in self.rows.rows:
            self.rows.insert(generation)
        message = ChatMessage(role="user", content=content or f"question {generation}")
        request = Request(
            generation=generation,
            attempt=fields.pop("attempt", 1),
            user=user,
            conversation=f"of {generation}",
            messages=(message,),
            sampling=Sampling(**fields.pop("sampling", {})),
            prompt_tokens=fields.pop("prompt_tokens", 20),
            max_tokens=tokens,
            new_chars=len(message.content),
            **fields,
        )
        self.lifecycle.enqueue(request)
        self.read(generation)
        return request

    def read(self, generation):
        reader = self.pages[generation] = Reader(self.log, self.rows, generation)
        self.readers[generation] = asyncio.create_task(reader.run())
        return self.readers[generation]

    async def end(self, generation):
        return await asyncio.wait_for(asyncio.shield(self.readers[generation]), PATIENCE_S)

    async def until(self, condition):
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                await asyncio.sleep(0.002)
                if self.task.done():
                    self.task.result()

    def held_seq(self, generation):
        """How far the generation has come for its reader."""
        return self.pages[generation].seq

    def check_empty(self):
        """No slot, no job, no stream of the engine is left."""
        load = self.scheduler.load()
        assert sum(load.waiting.values()) == sum(load.running.values()) == 0
        assert not self.lifecycle.known
        assert not self.lifecycle.in_engine
        assert not self.lifecycle.unpublished
