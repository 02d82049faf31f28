"""The inference service: owner lock, recovery, dispatcher and the periodic tasks beside it, run in order."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec
import structlog
from django.conf import settings
from django.utils import timezone
from msgspec.structs import replace

from chatsite.account_deletion.erasure import close_again
from chatsite.accounts.socket_events import notify_user
from chatsite.backends import status_store, stream_log
from chatsite.cleanup import SOON_S, cleanup_tasks
from chatsite.database import read, write
from chatsite.generations.admission import AdmissionState, read_admission
from chatsite.generations.reconcile import dead_reservations, end_reservations
from chatsite.quotas.notices import do_note_budgets, mail
from inference.backoff import Backoff
from inference.dispatch.dispatcher import Dispatcher, DispatcherSettings
from inference.dispatch.lifecycle import Lifecycle
from inference.dispatch.supervisor import Supervisor
from inference.engines.choice import choose_engine
from inference.metrics import MeasuredLog, MeasuredStore, Metrics
from inference.reasoning import Reasoning
from inference.scheduling.policy import Policy
from inference.scheduling.scheduler import Scheduler
from inference.status import InferenceStatus
from inference.worker.batches import BatchPump
from inference.worker.cleanup import Cleanup
from inference.worker.consumer import listen
from inference.worker.intake import Intake
from inference.worker.liveness import Liveness
from inference.worker.owner import become_owner, call_lock, keep_lock
from inference.worker.owner_lock import owner_lock
from inference.worker.periodic import every
from inference.worker.recorder import Recorder
from inference.worker.recovery import reap, recover, stop_erased
from inference.worker.sampler import SAMPLES_S, Sampler
from inference.worker.titles import Titles, has_spare_time

log = structlog.get_logger(__name__)

INTAKE_S = 2.0
"""How long a question whose wakeup was lost may wait for intake."""

STATUS_S = 1.0
"""How often the web tier learns the state of the engine."""

REAP_S = 30.0
"""A running row that is unknown here and had no heartbeat for this long is abandoned."""

TITLES_S = 1.0
"""A title that comes a second later is no later for anybody."""

ADMISSION_S = 1.0
"""How soon a pause that an administrator ordered is obeyed."""

RESERVATIONS_S = 600.0
"""How often reservations that outlived their generation are searched; it reads two days of the ledger."""

NOTICES_S = 15.0
"""How soon people learn that most of a budget is used; it reads one row of each person."""

BATCHES_S = 1.0
"""How long an item of a batch may wait for a free place: no person is watching it."""

CANCEL_AGAIN_S = 0.5
"""Clients of Redis may swallow a cancellation that meets a connection as it opens or breaks."""


async def end_all(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel until all have ended."""
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=CANCEL_AGAIN_S)


class InferenceService:
    """Everything of the inference process. `run()` until drained; a crash of any part ends all of it."""

    def __init__(self) -> None:
        """Raises ValueError for a setting that is wrong, naming it."""
        self.engine = choose_engine(os.environ, Path(settings.DATA_DIR))
        self._policy = Policy.from_env(os.environ, **self.engine.policy).fitted(self.engine.slots)
        self._metrics = Metrics()
        self._lock = owner_lock()
        self.liveness = Liveness()
        self._wake = asyncio.Event()
        self._dispatcher: Dispatcher | None = None
        self._supervisor: Supervisor | None = None
        self._admission = AdmissionState.OPEN
        self._state = ""

    async def run(self) -> None:
        """Become the owner, repair what the one before left, then serve."""
        async with asyncio.TaskGroup() as group:
            background = [group.create_task(self.liveness.run())]
            epoch = await become_owner(self._lock, stream_log())
            log.info("owner", epoch=epoch)
            self.liveness.role = "owner"
            self.liveness.queue_was_read()
            background.append(group.create_task(keep_lock(self._lock, epoch)))
            try:
                await self._own(epoch)
            finally:
                await end_all(background)
                await call_lock(self._lock, partial(self._lock.release, epoch))

    async def _own(self, epoch: int) -> None:
        recorder = Recorder(epoch, self._model)
        await recover(recorder, stream_log())
        if back := await write(close_again):  # a database that was restored by other means than ours
            log.warning("erased_accounts_came_back", count=len(back))
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
        self._metrics.watch(self._dispatcher.status, lambda: supervisor.restarts)
        try:
            await self._serve(self._dispatcher, recorder)
        finally:
            await supervisor.close()

    @property
    def owns_queue(self) -> bool:
        """Whether there is anything to drain; a standby just ends."""
        return self._dispatcher is not None

    async def drain(self, grace_s: float) -> None:
        """Let running answers end for `grace_s` seconds, keep the rest as interrupted; then end `run()`."""
        if self._dispatcher is not None:
            self.liveness.role = "draining"
            await self._dispatcher.drain(grace_s)

    def _model(self) -> str:
        """The model that answers now, as the engine names it; empty before it has started."""
        info = self._supervisor.info if self._supervisor else None
        return info.model if info else ""

    async def _serve(self, dispatcher: Dispatcher, recorder: Recorder) -> None:
        def spare() -> bool:
            return has_spare_time(dispatcher.status(), self._policy.slots)

        lifecycle, cleanup = dispatcher.lifecycle, Cleanup(cleanup_tasks())
        periodic = (
            every(INTAKE_S, "intake", partial(self._poll_queue, Intake(lifecycle, spare)), wakeup=self._wake),
            every(STATUS_S, "status", partial(self._publish_status, dispatcher)),
            every(SAMPLES_S, "samples", Sampler(dispatcher.status).poll),
            every(ADMISSION_S, "admission", partial(self._apply_admission, dispatcher)),
            every(BATCHES_S, "batches", partial(self._submit_batch_items, BatchPump(dispatcher.status))),
            every(TITLES_S, "titles", Titles(spare, self._wake.set, self._model).poll, backoff=Backoff()),
            every(REAP_S, "reaper", partial(_reap, lifecycle, recorder), at_once=False),
            every(NOTICES_S, "notices", _notify_budgets, at_once=False),
            every(SOON_S, "cleanup", lambda: cleanup.step(monotonic()), at_once=False),
            every(RESERVATIONS_S, "reservations", _end_dead_reservations, at_once=False),
        )
        async with asyncio.TaskGroup() as group:
            parts = (listen(self._wake), *periodic)
            background = [group.create_task(part) for part in parts]
            try:
                await dispatcher.run()
            finally:
                await end_all(background)

    async def _poll_queue(self, intake: Intake) -> None:
        await intake.poll()
        self.liveness.queue_was_read()

    async def _submit_batch_items(self, pump: BatchPump) -> None:
        if await pump.poll():
            self._wake.set()

    async def _publish_status(self, dispatcher: Dispatcher) -> None:
        status = replace(dispatcher.status(), intake_age_s=self.liveness.intake_age_s)
        self._state = _log_change(self._state, status)
        try:
            await status_store().publish(status)
        except Exception as error:  # Redis, while it restarts: running answers are not its business
            log.warning("status_unpublished", error=repr(error))

    async def _apply_admission(self, dispatcher: Dispatcher) -> None:
        """Pause, drain and resume as ordered in the console."""
        self._admission = _admit(dispatcher, self._admission, await read(read_admission))


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


def _log_change(before: str, status: InferenceStatus) -> str:
    if status.state != before:
        log.info("engine", state=status.state, detail=status.detail)
    return status.state


async def _reap(lifecycle: Lifecycle, recorder: Recorder) -> None:
    await reap(recorder, stream_log(), lifecycle.known, REAP_S)
    await stop_erased(lifecycle.known, lifecycle.cancel)


async def _end_dead_reservations() -> None:
    """A safety net: whatever ends a generation ends its reservation too, so nothing should be found."""
    if dead := await read(dead_reservations, timezone.now()):
        log.warning("dead_reservations", ended=await write(end_reservations, dead))


async def _notify_budgets() -> None:
    """Notify users who passed 80 or 100 % of a budget: their open pages at once, then by e-mail."""
    fresh = await write(do_note_budgets, timezone.now())
    for user in {notice.user_id for notice in fresh}:
        await notify_user(user, "quota.changed")
    if fresh:
        await asyncio.to_thread(mail, fresh)
