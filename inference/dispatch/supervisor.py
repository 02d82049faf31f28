"""The supervisor: keeps one engine alive, and reports to the dispatcher when it was lost.

An engine dies (EngineDiedError) or hangs: it has work, does not step and is not starved (`hang_detection`
tells them apart). Both end the same way: close it, report it, build a new one after a pause.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress

import msgspec

from inference.dispatch.hang_detection import HangDetector
from inference.engines.base import (
    Engine,
    EngineDiedError,
    EngineError,
    EngineInfo,
    EngineRequest,
    EngineStats,
    Step,
)
from inference.status import EngineState

log = logging.getLogger(__name__)

HANG_CHECKS = 8
"""Checks of the engine per grace period: enough that a late one matters little."""

UNEXPECTED = "The engine failed. The log of the inference process says why."
"""For an error that no engine announces: its own words belong in the log alone."""


class SupervisorSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`hung_after_s` must exceed the longest step of a healthy engine that is not starved.

    Back-off doubles from `first_pause_s` to `longest_pause_s` while engines die younger than `stable_s`.
    """

    hung_after_s: float = 20.0
    first_pause_s: float = 0.5
    longest_pause_s: float = 30.0
    stable_s: float = 60.0


class EngineReady(msgspec.Struct, frozen=True):
    """A fresh engine can compute."""

    info: EngineInfo


class EngineLost(msgspec.Struct, frozen=True):
    """Whatever was running is gone; also reported of an engine that did not even start."""

    reason: str


class Supervisor:
    """Owner of the one engine. `factory` builds a fresh, unstarted one."""

    def __init__(self, factory: Callable[[], Engine], settings: SupervisorSettings | None = None) -> None:
        self._factory = factory
        self._settings = settings or SupervisorSettings()
        self._engine: Engine | None = None
        self._failures = 0
        self._closing = asyncio.Event()
        self._unanswered = False
        self._hung = ""
        self._stats: EngineStats | None = None
        self.state: EngineState = "starting"
        self.detail = ""
        self.progress: float | None = None
        self.info: EngineInfo | None = None
        self.restarts = 0

    @property
    def ready(self) -> bool:
        return self.state == "ready"

    def stats(self) -> EngineStats | None:
        """The engine's latest counters; None while there is no engine."""
        return self._engine.stats() if self._engine is not None and self.ready else None

    async def add(self, request: EngineRequest) -> None:
        """Hand a request to the engine. Raises EngineDiedError when there is none."""
        engine = self._running()
        self._unanswered = True
        await engine.add(request)

    async def abort(self, ids: Sequence[str]) -> None:
        """Stop these requests, if there is an engine at all."""
        if self._engine is not None and self.ready:
            with suppress(EngineDiedError):
                await self._engine.abort(ids)

    async def events(self) -> AsyncIterator[Step | EngineReady | EngineLost]:
        """Every step of every engine, and each engine's start and loss, until close(). Iterate once."""
        while not self._closing.is_set():
            engine = await self._start()
            if engine is None:
                yield EngineLost(self.detail)
                await self._pause()
                continue
            assert self.info is not None
            yield EngineReady(self.info)
            born = asyncio.get_running_loop().time()
            reason = "The engine was closed."
            watch = asyncio.create_task(self._watch(engine), name="engine-watch")
            try:
                async for step in engine.steps():
                    self._unanswered = False
                    yield step
            except EngineDiedError as error:
                reason = str(error)
            except Exception:
                log.exception("The engine failed")
                reason = UNEXPECTED
            finally:
                self.state = "restarting"
                if not self._hung:
                    watch.cancel()
                await asyncio.wait([watch])
                await self._end(engine)
                self._engine = None
            if asyncio.get_running_loop().time() - born > self._settings.stable_s:
                self._failures = 0
            yield self._lost(self._hung or reason)
            await self._pause()

    async def close(self) -> None:
        """End the engine; events() ends too."""
        self._closing.set()
        if self._engine is not None:
            await self._end(self._engine)

    async def _start(self) -> Engine | None:
        """A started engine, or None with the reason in `detail`."""
        engine = self._engine = self._factory()
        self._hung, self._unanswered = "", False
        self.state = "restarting" if self.info else "starting"
        try:
            self.info = await engine.start(self._progressed)
        except Exception as error:
            expected = isinstance(error, EngineError | OSError)
            log.error("The engine does not start: %s", error, exc_info=None if expected else error)
            self.state, self.detail, self.progress = "failed", str(error) if expected else UNEXPECTED, None
            self._engine = None
            await self._end(engine)
            return None
        self.state, self.detail, self.progress = "ready", "", None
        return engine

    async def _end(self, engine: Engine) -> None:
        """Whatever is wrong with an engine that is closed, the next one is built."""
        try:
            await engine.close()
        except Exception:
            log.exception("The engine could not be closed")

    def _progressed(self, detail: str, progress: float | None) -> None:
        self.detail, self.progress = detail, progress

    def _lost(self, reason: str) -> EngineLost:
        if not self._closing.is_set():
            log.error("The engine was lost: %s", reason)
            self.restarts += 1
        self.detail = reason
        return EngineLost(reason)

    async def _pause(self) -> None:
        """Wait before the next engine, longer each time; close() cuts it short."""
        settings = self._settings
        pause = min(settings.longest_pause_s, settings.first_pause_s * 2**self._failures)
        self._failures += 1
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), pause)

    async def _watch(self, engine: Engine) -> None:
        """Close an engine that hangs."""
        every_s = self._settings.hung_after_s / HANG_CHECKS
        detector = HangDetector(HANG_CHECKS, every_s)
        while True:
            await asyncio.sleep(every_s)
            stats = engine.stats()
            busy = stats.running > 0 or stats.waiting > 0 or self._unanswered
            if detector.check(stats, busy=busy, cpu_time_s=engine.cpu_time_s()):
                self._hung = f"The engine did not step for {detector.unmoved * every_s:g} s."
                self.state = "restarting"
                await self._end(engine)
                return

    def _running(self) -> Engine:
        if self._engine is None or not self.ready:
            raise EngineDiedError(self.detail or "There is no engine yet.")
        return self._engine
