"""The owner lock: which inference process owns the queue, and how a standby sees that the owner is stalled.

On PostgreSQL the lock is a session's advisory lock, which ends with the session. A frozen process and one
that is cut off keep their session, so the owner also writes a heartbeat, by the server's clock, over that
very session. A standby that reads an old one ends the session, and then has the lock; the epoch
(inference/worker/owner.py) fences whoever wakes later.
"""

from __future__ import annotations

import fcntl
import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Protocol

import structlog
from django.conf import settings
from django.db import connection

from chatsite.generations.models import Ownership

log = structlog.get_logger(__name__)

HEARTBEAT_S = 1.0
"""Between two heartbeats: one small UPDATE."""

PRECEDENCE_S = 3.0
"""A free lock is the former owner's for so long: three heartbeats, of which each seeks a lost session anew. A
server that dropped every connection costs no engine by that."""

STALE_S = 10.0
"""An owner without a heartbeat for so long is replaced: no garbage collection and no slow disk takes that."""

ADVISORY_KEY = 0x63686174
"""The advisory lock's number: "chat" in ASCII."""

_TABLE = Ownership._meta.db_table

_FORMER_OWNER_MAY_COME_BACK = f"""
SELECT clock_timestamp() - greatest(heartbeat_at, pg_postmaster_start_time()) < make_interval(secs => %s)
FROM {_TABLE} WHERE id = 1 AND heartbeat_at IS NOT NULL
"""  # noqa: S608 - the table's own name  # nosec

_TRY_LOCK = "SELECT pg_try_advisory_lock(%s)"

_TAKE = f"""
INSERT INTO {_TABLE} (id, epoch, heartbeat_at) VALUES (1, 0, clock_timestamp())
ON CONFLICT (id) DO UPDATE SET heartbeat_at = excluded.heartbeat_at
"""  # noqa: S608  # nosec

_BEAT = f"UPDATE {_TABLE} SET heartbeat_at = clock_timestamp() WHERE id = 1 AND epoch = %s"  # noqa: S608  # nosec

_LEAVE = f"UPDATE {_TABLE} SET heartbeat_at = NULL WHERE id = 1 AND epoch = %s"  # noqa: S608  # nosec

_HOLDER = """
pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND (l.classid, l.objid, l.objsubid) = (0, %s, 1)
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""

_END_STALE = f"""
WITH stale AS (
    SELECT a.pid, a.application_name AS process FROM {_TABLE} o, {_HOLDER}
        AND clock_timestamp() - greatest(o.heartbeat_at, a.backend_start) > make_interval(secs => %s)
        AND o.heartbeat_at IS NOT NULL
)
SELECT one.pid, pg_terminate_backend(one.pid, 1000) FROM stale JOIN pg_stat_activity one
    ON one.pid = stale.pid OR (stale.process LIKE 'chatsite %%' AND one.application_name = stale.process)
"""  # noqa: S608  # nosec
"""All sessions of a stalled owner's process, which chatsite/settings.py names alike: one that it left within
a transaction would keep its rows locked, and whoever takes over waiting, until the server misses its client.
The lock session's own age counts too: one that has just taken the lock beats in a moment. Without any
heartbeat the owner is of a version that wrote none."""

_END_OWN = f"SELECT pg_terminate_backend(a.pid, 1000) FROM {_HOLDER} AND a.pid = %s"  # noqa: S608  # nosec


class LockLostError(Exception):
    """Another process owns the queue, or may by now: this one stops."""


class OwnerLock(Protocol):
    """Held by one process; released by its end, however it ends.

    All methods but `hang_up` may block: call them in a thread. They raise what the database's driver does;
    only LockLostError says that the lock is lost for good.
    """

    def take(self) -> bool:
        """Try to take the lock; also from an owner that is stalled."""

    def beat(self, epoch: int) -> None:
        """Write the owner's heartbeat. Raises LockLostError when there is a younger owner."""

    def retake(self, epoch: int) -> bool:
        """Take the lock again after its session was lost. Raises LockLostError when another has had it."""

    def hang_up(self) -> None:
        """End a call that another thread waits in, which then raises. Never blocks."""

    def release(self, epoch: int | None = None) -> None:
        """Let go of it; the owner of this epoch leaves it to whoever comes first."""


class FileLock:
    """For SQLite, whose users share a machine: an flock, which the kernel releases with the process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None

    def take(self) -> bool:
        file = self._path.open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        self._file = file
        return True

    def beat(self, epoch: int) -> None:
        """Nobody reads it: the kernel knows who lives, and pages share the process with the engine."""

    def retake(self, epoch: int) -> bool:
        return self._file is not None

    def hang_up(self) -> None:
        """Nothing of it waits for anybody."""

    def release(self, epoch: int | None = None) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class AdvisoryLock:
    """For PostgreSQL: a session lock on a connection of its own, outside the pool that would lend it out.

    `params`: what psycopg connects with.
    """

    def __init__(self, params: dict[str, Any]) -> None:
        self._params = params
        self._session: Any = None
        self._pid = 0
        self._socket: socket.socket | None = None
        self._one_call = threading.Lock()  # one that nobody waited for to its end may still be under way

    def take(self) -> bool:
        with self._one_call:
            return self._try(self._may_take)

    def beat(self, epoch: int) -> None:
        with self._one_call:
            if self._session is None:
                raise ConnectionError("The lock has no session.")
            self._beat(self._session, epoch)

    def retake(self, epoch: int) -> bool:
        def may_take(session: Any) -> bool:
            self._check_epoch(session, epoch)
            session.execute(_END_OWN, [ADVISORY_KEY, former])  # the server may not know yet that it is gone
            return True

        with self._one_call:
            former = self._pid
            self._close()
            if not self._try(may_take):
                return False
            self._beat(self._session, epoch)
            return True

    def hang_up(self) -> None:
        if (one := self._socket) is not None:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def release(self, epoch: int | None = None) -> None:
        with self._one_call:
            if self._session is not None and epoch is not None:
                with suppress(Exception):  # a session that is gone leaves nothing to say
                    self._session.execute(_LEAVE, [epoch])
            self._close()

    def _try(self, may_take: Callable[[Any], bool]) -> bool:
        """Take the lock over a new session, if it `may_take` it."""
        self._open()
        session, taken = self._session, False
        try:
            if may_take(session) and session.execute(_TRY_LOCK, [ADVISORY_KEY]).fetchone()[0]:
                session.execute(_TAKE)
                taken = True
            return taken
        finally:
            if not taken:
                self._close()

    def _may_take(self, session: Any) -> bool:
        """Whether the former owner has had its time; also ends a stalled one's sessions."""
        for pid, _ in session.execute(_END_STALE, [ADVISORY_KEY, STALE_S]).fetchall():
            log.warning("stalled_owner", session=pid, why=f"no heartbeat for {STALE_S:g} s")
        waits = session.execute(_FORMER_OWNER_MAY_COME_BACK, [PRECEDENCE_S]).fetchone()
        return not (waits and waits[0])

    def _beat(self, session: Any, epoch: int) -> None:
        if not session.execute(_BEAT, [epoch]).rowcount:
            raise LockLostError(f"Epoch {epoch} is over: another inference process owns the queue.")

    def _check_epoch(self, session: Any, epoch: int) -> None:
        row = session.execute(f"SELECT epoch FROM {_TABLE} WHERE id = 1").fetchone()  # noqa: S608  # nosec
        if not row or row[0] != epoch:
            raise LockLostError(f"Epoch {epoch} is over: another inference process owns the queue.")

    def _open(self) -> None:
        import psycopg

        self._session = psycopg.connect(**self._params, autocommit=True)
        self._pid = self._session.info.backend_pid
        # A descriptor of its own: the session's may be closed, and used again, while another thread hangs up.
        self._socket = socket.socket(fileno=os.dup(self._session.fileno()))

    def _close(self) -> None:
        session, self._session = self._session, None
        one, self._socket = self._socket, None
        if one is not None:
            one.close()
        if session is not None:
            session.close()


def owner_lock() -> OwnerLock:
    """The lock that fits the database."""
    if connection.vendor == "sqlite":
        return FileLock(Path(settings.DATA_DIR) / "inference.lock")
    params = connection.get_connection_params()  # with all of the address's options
    return AdvisoryLock({name: value for name, value in params.items() if name not in _DJANGOS_OWN})


_DJANGOS_OWN = {"cursor_factory", "context"}
"""Parameters by which Django adapts values and cursors."""
