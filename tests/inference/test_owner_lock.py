"""The owner lock on PostgreSQL: one owner at a time, whose heartbeat says that it lives."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from inference.worker import owner, owner_lock
from inference.worker.owner import call_lock, keep_lock
from inference.worker.owner_lock import AdvisoryLock, LockLostError
from tests.support.prepared import migrated_database
from tests.support.silent_proxy import silent_proxy
from tests.support.waiting import PATIENCE_S, until, wait_until

pytestmark = pytest.mark.postgres

EPOCH = 7


class Database:
    """A site's database, where the owner's row is as a test wants it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = psycopg.connect(url, autocommit=True)

    def lock(self, **options: Any) -> AdvisoryLock:
        return AdvisoryLock({"conninfo": self.url, **options})

    def owns(self, epoch: int, heartbeat_age_s: float | None = 0) -> None:
        """The row of an owner of this epoch, whose last heartbeat is so old."""
        self.session.execute("DELETE FROM generations_ownership")
        self.session.execute(
            "INSERT INTO generations_ownership VALUES (1, %s, clock_timestamp() - make_interval(secs => %s))",
            [epoch, heartbeat_age_s],
        )

    def end_sessions(self) -> None:
        self.session.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    def heartbeat(self) -> Any:
        return self.session.execute("SELECT heartbeat_at FROM generations_ownership").fetchone()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with migrated_database() as url:
        yield url


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    database = Database(url)
    database.session.execute("DELETE FROM generations_ownership")
    yield database
    database.end_sessions()
    database.session.close()


@pytest.fixture
def no_precedence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner_lock, "PRECEDENCE_S", 0)


def test_one_has_it_and_the_next_when_it_is_released(database: Database) -> None:
    first, second = database.lock(), database.lock()
    assert first.take()
    assert not second.take()
    database.owns(EPOCH)
    first.release(EPOCH)
    assert second.take(), "an owner that leaves is not waited for"
    second.release()


def test_a_free_lock_is_the_former_owners_while_its_heartbeat_is_fresh(database: Database) -> None:
    """It lost its session and has its engine: it comes back within a second."""
    lock = database.lock()
    assert lock.take()
    database.owns(EPOCH)
    lock.beat(EPOCH)
    database.end_sessions()
    assert not database.lock().take()
    with pytest.raises(psycopg.OperationalError):
        lock.beat(EPOCH)
    assert lock.retake(EPOCH)
    lock.beat(EPOCH)
    lock.release()


def test_a_dead_owner_is_followed_when_its_heartbeat_is_old(database: Database) -> None:
    database.owns(EPOCH)
    successor = database.lock()
    wait_until(successor.take)
    successor.release()


@pytest.mark.parametrize("age_s", [owner_lock.STALE_S + 1, 600, 86_400])
def test_a_stalled_owner_loses_its_session(
    database: Database, monkeypatch: pytest.MonkeyPatch, age_s: float
) -> None:
    stalled, standby = database.lock(), database.lock()
    assert stalled.take()
    monkeypatch.setattr(owner_lock, "STALE_S", 0.2)  # of the session, which is as young as the test
    database.owns(EPOCH, age_s)
    wait_until(standby.take)
    database.owns(EPOCH + 1)
    with pytest.raises(psycopg.OperationalError):
        stalled.beat(EPOCH)
    with pytest.raises(LockLostError):
        stalled.retake(EPOCH)
    standby.beat(EPOCH + 1)
    standby.release()


def test_a_stalled_owner_keeps_no_row_locked(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it stopped within ends with the lock's session; another process' transaction goes on."""
    names = ("chatsite 1 stalled", "chatsite 2 else")
    database.session.execute("CREATE TABLE kept (id int)")
    within, other = (psycopg.connect(database.url, application_name=name) for name in names)
    for session in (within, other):
        session.execute("INSERT INTO kept VALUES (1)")
    stalled, standby = database.lock(application_name=names[0]), database.lock(application_name=names[1])
    assert stalled.take()
    monkeypatch.setattr(owner_lock, "STALE_S", 0.2)
    database.owns(EPOCH, 600)
    wait_until(standby.take)
    with pytest.raises(psycopg.OperationalError):
        within.execute("SELECT 1")
    other.commit()
    assert database.session.execute("SELECT count(*) FROM kept").fetchone() == (1,)
    for session in (within, other):
        session.close()
    stalled.release()
    standby.release()
    database.session.execute("DROP TABLE kept")


def test_who_beats_is_not_replaced(database: Database) -> None:
    healthy, standby = database.lock(), database.lock()
    assert healthy.take()
    database.owns(EPOCH, owner_lock.STALE_S + 60)
    assert not standby.take(), "its session is younger than that"
    healthy.beat(EPOCH)
    before = database.heartbeat()
    healthy.beat(EPOCH)
    assert database.heartbeat() > before
    assert not standby.take()
    healthy.release()


def test_an_owner_of_a_version_without_heartbeats_is_left_alone(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner_lock, "STALE_S", 0)
    older, standby = database.lock(), database.lock()
    assert older.take()
    database.session.execute("UPDATE generations_ownership SET heartbeat_at = NULL")
    assert not standby.take()
    older.beat(0)
    older.release()


def test_a_younger_epoch_ends_the_beat_and_the_search(database: Database) -> None:
    lock = database.lock()
    assert lock.take()
    database.owns(EPOCH + 1)
    with pytest.raises(LockLostError, match="another inference process"):
        lock.beat(EPOCH)
    with pytest.raises(LockLostError, match="another inference process"):
        lock.retake(EPOCH)
    lock.release()


def test_its_own_former_session_is_no_obstacle(database: Database) -> None:
    """The server may take minutes to see that a connection is gone."""
    lock = database.lock()
    assert lock.take()
    database.owns(EPOCH)
    forgotten, lock._session = lock._session, None
    assert lock.retake(EPOCH)
    lock.beat(EPOCH)
    with pytest.raises(psycopg.OperationalError):
        forgotten.execute("SELECT 1")
    lock.release()


async def test_a_lost_session_is_taken_again_under_the_same_epoch(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, "HEARTBEAT_S", 0.01)
    lock = database.lock()
    assert lock.take()
    database.owns(EPOCH)
    keeping = asyncio.create_task(keep_lock(lock, EPOCH))
    for _ in range(3):
        before = database.heartbeat()
        await asyncio.to_thread(database.end_sessions)
        await until(lambda before=before: database.heartbeat() > before)  # type: ignore[misc]
        assert not keeping.done()
    keeping.cancel()
    await asyncio.wait({keeping})
    lock.release()


async def test_a_silent_path_is_not_waited_for(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy keeps the connection open and forwards nothing: no error ever comes by itself."""
    monkeypatch.setattr(owner, "HEARTBEAT_S", 0.01)
    monkeypatch.setattr(owner, "CALL_LIMIT_S", 2.5)
    monkeypatch.setattr(owner, "SOUGHT_S", 1.0)
    monkeypatch.setattr(owner_lock, "STALE_S", 1.0)
    server = urlsplit(database.url)
    async with silent_proxy(server.hostname or "127.0.0.1", server.port or 5432) as proxy:
        cut = database.lock(host="127.0.0.1", port=proxy.port, connect_timeout=2)
        assert await asyncio.to_thread(cut.take)
        database.owns(EPOCH)
        keeping = asyncio.create_task(keep_lock(cut, EPOCH))
        proxy.silence()
        standby = database.lock()
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.to_thread(wait_until, standby.take)
            with pytest.raises(LockLostError):
                await keeping
        standby.release()
        await asyncio.to_thread(cut.release)


async def test_a_call_that_nothing_ends_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner, "CALL_LIMIT_S", 0.01)
    ends, hung_up = threading.Event(), threading.Event()

    class Stuck(AdvisoryLock):
        def take(self) -> bool:
            return ends.wait(PATIENCE_S)

        def hang_up(self) -> None:
            hung_up.set()

    stuck = Stuck({})
    with pytest.raises(TimeoutError):
        await call_lock(stuck, stuck.take)
    assert hung_up.is_set()
    ends.set()
