"""One watcher per process: notifies every open socket when the engine's state or the announcement changed."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterable
from typing import Any, Protocol

import structlog
from django.db import DatabaseError

from chatsite.accounts.presence import RENEW_S
from chatsite.accounts.sessions import which_ended
from chatsite.backends import presence, status_store
from chatsite.database import read
from chatsite.streaming.announcements import current_announcement_frame
from chatsite.streaming.engine_status import engine_status
from chatsite.streaming.frames import Announced, Announcement, EngineStatus, ServerFrame, Status
from inference.status import current_status

LOAD_S = 5.0
"""How old the number of queued questions may be that a page shows to somebody who has not asked yet."""

POLL_S = 1.0
"""The status is published every second."""


RECHECK_S = 20.0
"""How long a socket may outlive its session where nobody could tell it: expired, or Redis was away."""

log = structlog.get_logger(__name__)


class Watching(Protocol):
    """A socket, as the watcher sees it."""

    user_id: int
    channel_name: str
    announced: Announcement | None
    """What this socket was told of last, in `hello` or since."""

    scope: dict[str, Any]

    async def send_frame(self, frame: ServerFrame) -> None: ...

    async def end_session(self) -> None: ...


class StatusWatch:
    """The sockets of this process. The task runs while there is one."""

    def __init__(self) -> None:
        self._sockets: set[Watching] = set()
        self._task: asyncio.Task[None] | None = None
        self._renewed = time.monotonic()
        self._rechecked = time.monotonic()

    def __len__(self) -> int:
        return len(self._sockets)

    def join(self, socket: Watching) -> None:
        self._sockets.add(socket)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch())

    def leave(self, socket: Watching) -> None:
        self._sockets.discard(socket)

    async def _watch(self) -> None:
        told: EngineStatus | None = None
        told_at = time.monotonic()
        while self._sockets:
            try:
                status = engine_status(await current_status(status_store()))
                due = time.monotonic() - told_at >= LOAD_S
                if _worth_telling(told, status) or (due and status != told):
                    told, told_at = status, time.monotonic()
                    await _notify(tuple(self._sockets), Status(status))
                await self._renew()
                await self._recheck()
            except Exception:
                log.exception("watch_failed")  # Redis, while it restarts: looked at again
            await asyncio.sleep(POLL_S)

    async def _recheck(self) -> None:
        """Close the sockets whose sessions have ended, and tell the others what is announced meanwhile."""
        if time.monotonic() - self._rechecked < RECHECK_S:
            return
        self._rechecked = time.monotonic()
        held = tuple(self._sockets)
        try:
            ended = await read(which_ended, [(socket.user_id, socket.scope["session"]) for socket in held])
            announcement = await read(current_announcement_frame)
        except DatabaseError as error:
            # Each question is checked again anyway; the next check may find the database back.
            log.warning("sessions_not_checked", error=repr(error))
            return
        over = [socket.end_session() for socket, has_ended in zip(held, ended, strict=True) if has_ended]
        await asyncio.gather(*over, return_exceptions=True)
        behind = [socket for socket in self._sockets if socket.announced != announcement]
        for socket in behind:
            socket.announced = announcement
        await _notify(behind, Announced(announcement))

    async def _renew(self) -> None:
        """Keep these sockets counted."""
        if time.monotonic() - self._renewed < RENEW_S:
            return
        self._renewed = time.monotonic()
        for socket in tuple(self._sockets):
            await presence().enter(socket.user_id, socket.channel_name, sys.maxsize)


async def _notify(sockets: Iterable[Watching], frame: ServerFrame) -> None:
    await asyncio.gather(*(socket.send_frame(frame) for socket in sockets), return_exceptions=True)


def _worth_telling(told: EngineStatus | None, now: EngineStatus) -> bool:
    """State and progress are news at once; load alone changes all the time and is told every LOAD_S."""
    if told is None:
        return True
    return (told.state, told.detail, told.progress, told.model) != (
        now.state,
        now.detail,
        now.progress,
        now.model,
    )


sockets = StatusWatch()
