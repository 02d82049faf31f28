"""The inference service: owner lock, recovery, dispatcher, intake, board, sweep; built and run in order."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import structlog
from django.conf import settings
from django.utils import timezone

from chatsite.accounts.sockets import tell
from chatsite.attachments.erase import sweep
from chatsite.database import read, write
from chatsite.generations.admission import AdmissionState, read_admission
from chatsite.generations.reconcile import dead_reservations, end_reservations
from chatsite.quotas.notices import do_note_budgets, mail
from chatsite.sweeps import SWEEPS
from chatsite.wiring import board_store, stream_log
from inference.board import Board
from inference.dispatch.dispatcher import Dispatcher, DispatcherSettings
from inference.dispatch.measured import MeasuredLog, MeasuredStore
from inference.dispatch.supervisor import Supervisor
from inference.engines.choice import choose_engine
from inference.metrics import Metrics
from inference.reasoning import Reasoning
from inference.scheduling.policy import Policy
from inference.scheduling.scheduler import Scheduler
from inference.worker.batches import BatchPump
from inference.worker.consumer import listen
from inference.worker.intake import Intake
from inference.worker.owner import become_owner, owner_lock
from inference.worker.recorder import Recorder
from inference.worker.recovery import reap, recover, stop_erased
from inference.worker.sampler import Sampler
from inference.worker.titles import Titles, has_spare_time

log = structlog.get_logger(__name__)

SWEEP_S = 2.0
"""How long a question whose doorbell was lost may lie unseen."""

BOARD_S = 1.0
"""How often the web tier learns the state of the engine."""

REAP_S = 30.0
"""A row that runs, unknown here and silent for this long, is run by nobody."""

LOCK_CHECK_S = 2.0
"""How soon a lost lock is noticed. Until then the epoch fences the rows."""

ADMISSION_S = 1.0
"""How soon a pause that an administrator ordered is obeyed."""

RESERVATIONS_S = 600.0
"""How often reservations that outlived their generation are looked for; it reads two days of the ledger."""

NOTICES_S = 15.0
"""How soon people learn that most of a budget is used; it reads one row of each person."""

PURGE_S = 20.0
"""How often what is to be erased is looked for (chatsite/sweeps.py)."""

BATCHES_S = 1.0
"""How long an item of a batch may wait for a place that is free: nobody sits in front of it."""

FILES_S = 3_600.0
"""How often documents that were never sent, and files without a row, are looked for."""


CANCEL_AGAIN_S = 0.5
"""Clients of Redis may swallow a cancellation that meets a connection as it opens or breaks."""


async def end_all(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel until all have ended."""
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=CANCEL_AGAIN_S)


class LockLostError(Exception):
    """The owner lock is gone, with its connection: another process may own the queue by now."""


class InferenceService:
    """Everything of the inference process. `run()` until drained; a crash of any part ends all of it."""

    def __init__(self) -> None:
        """Raises ValueError for a setting that is wrong, naming it."""
        self.engine = choose_engine(os.environ, Path(settings.DATA_DIR))
        self._policy = Policy.from_env(os.environ, **self.engine.policy).fitted(self.engine.slots)
        self._metrics = Metrics()
        self._lock = owner_lock()
        self._wake = asyncio.Event()
        self._dispatcher: Dispatcher | None = None
        self._supervisor: Supervisor | None = None
        self._admission = AdmissionState.OPEN

    async def run(self) -> None:
        """Become the owner, mend what the one before left, then serve."""
        epoch = await become_owner(self._lock, stream_log())
        recorder = Recorder(epoch, self._model)
        await recover(recorder, stream_log())
        supervisor = self._supervisor = Supervisor(self.engine.build)
        self._dispatcher = Dispatcher(
            Scheduler(self._policy, UNKNOWN_KV_TOKENS),
            supervisor,
            MeasuredLog(stream_log(), self._metrics),
            MeasuredStore(recorder, self._metrics),
            DispatcherSettings(epoch=epoch, reasoning=msgspec.convert(settings.REASONING, Reasoning)),
        )
        # Before anything can start: a site that was drained stays so when this process is started again.
        self._admission = _admit(self._dispatcher, self._admission, await read(read_admission))
        log.info("owner", epoch=epoch)
        self._metrics.watch(self._dispatcher.board, lambda: supervisor.restarts)
        try:
            await self._serve(self._dispatcher, recorder)
        finally:
            await supervisor.close()
            self._lock.release()

    async def drain(self, grace_s: float) -> None:
        """Let running answers end for `grace_s` seconds, keep the rest as interrupted; then end `run()`."""
        if self._dispatcher is not None:
            await self._dispatcher.drain(grace_s)

    def _model(self) -> str:
        """The model that answers now, as the engine names it; empty before it has started."""
        info = self._supervisor.info if self._supervisor else None
        return info.model if info else ""

    async def _serve(self, dispatcher: Dispatcher, recorder: Recorder) -> None:
        def spare() -> bool:
            return has_spare_time(dispatcher.board(), self._policy.slots)

        async with asyncio.TaskGroup() as group:
            background = [
                group.create_task(listen(self._wake), name="doorbell"),
                group.create_task(self._take_in(Intake(dispatcher, spare)), name="intake"),
                group.create_task(Titles(spare, self._wake.set, self._model).run(), name="titles"),
                group.create_task(self._publish_board(dispatcher), name="board"),
                group.create_task(Sampler(dispatcher.board).run(), name="samples"),
                group.create_task(self._keep_lock(), name="lock"),
                group.create_task(self._reap(dispatcher, recorder), name="reaper"),
                group.create_task(self._obey(dispatcher), name="admission"),
                group.create_task(self._purge(), name="purge"),
                group.create_task(self._sweep_files(), name="files"),
                group.create_task(self._pump(BatchPump(dispatcher.board)), name="batches"),
                group.create_task(self._end_reservations(), name="reservations"),
                group.create_task(self._note_budgets(), name="notices"),
            ]
            try:
                await dispatcher.run()
            finally:
                await end_all(background)

    async def _take_in(self, intake: Intake) -> None:
        """At each ring, and every few seconds without one."""
        while True:
            self._wake.clear()
            try:
                await intake.look()
            except Exception:
                log.exception("intake_failed")
            try:
                async with asyncio.timeout(SWEEP_S):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _pump(self, pump: BatchPump) -> None:
        """Give the line what batches wait with."""
        while True:
            try:
                if await pump.look():
                    self._wake.set()
            except Exception:
                log.exception("batches_failed")
            await asyncio.sleep(BATCHES_S)

    async def _publish_board(self, dispatcher: Dispatcher) -> None:
        state = ""
        while True:
            board = dispatcher.board()
            state = _log_change(state, board)
            try:
                await board_store().publish(board)
            except Exception as error:  # Redis, while it restarts: running answers are not its business
                log.warning("board_unpublished", error=repr(error))
            await asyncio.sleep(BOARD_S)

    async def _keep_lock(self) -> None:
        while await asyncio.to_thread(self._lock.held):  # noqa: ASYNC110 - the lock cannot tell us
            await asyncio.sleep(LOCK_CHECK_S)
        raise LockLostError("The owner lock was lost; this process stops writing.")

    async def _reap(self, dispatcher: Dispatcher, recorder: Recorder) -> None:
        while True:
            await asyncio.sleep(REAP_S)
            try:
                await reap(recorder, stream_log(), dispatcher.known, REAP_S)
                await stop_erased(dispatcher.known, dispatcher.cancel)
            except Exception:
                log.exception("reaping_failed")

    async def _obey(self, dispatcher: Dispatcher) -> None:
        """Pause, drain and resume as the console says."""
        while True:
            try:
                self._admission = _admit(dispatcher, self._admission, await read(read_admission))
            except Exception:
                log.exception("admission_unread")
            await asyncio.sleep(ADMISSION_S)

    async def _end_reservations(self) -> None:
        """Nothing should be found here: it is the net under everything that ends generations."""
        while True:
            await asyncio.sleep(RESERVATIONS_S)
            try:
                if dead := await read(dead_reservations, timezone.now()):
                    log.warning("dead_reservations", ended=await write(end_reservations, dead))
            except Exception:
                log.exception("reservations_failed")

    async def _note_budgets(self) -> None:
        """Tell whoever has passed 80 or 100 % of a budget: open pages at once, then by e-mail."""
        while True:
            await asyncio.sleep(NOTICES_S)
            try:
                fresh = await write(do_note_budgets, timezone.now())
                for user in {notice.user_id for notice in fresh}:
                    await tell(user, "quota.changed")
                if fresh:
                    await asyncio.to_thread(mail, fresh)
            except Exception:
                log.exception("notices_failed")

    async def _purge(self) -> None:
        while True:
            await asyncio.sleep(PURGE_S)
            for erase in SWEEPS:
                try:
                    while await write(erase):
                        continue
                except Exception:
                    log.exception("purge_failed", sweep=erase.__name__)

    async def _sweep_files(self) -> None:
        """Nothing should be found here but what people attached and never sent."""
        while True:
            try:
                if swept := await write(sweep):
                    log.info("attachments_swept", count=swept)
            except Exception:
                log.exception("sweep_failed")
            await asyncio.sleep(FILES_S)


UNKNOWN_KV_TOKENS = 2**31
"""Before the engine has started nothing is refused for its size; then the engine's own figure counts."""


def _admit(dispatcher: Dispatcher, before: AdmissionState, wanted: AdmissionState) -> AdmissionState:
    if wanted != before:
        log.info("admission", state=wanted)
        if wanted == AdmissionState.OPEN:
            dispatcher.resume()
        else:
            dispatcher.pause("draining" if wanted == AdmissionState.DRAINING else "paused")
    return wanted


def _log_change(before: str, board: Board) -> str:
    if board.state != before:
        log.info("engine", state=board.state, detail=board.detail)
    return board.state
