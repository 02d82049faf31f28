"""Cleanup: each app registers its tasks; the worker runs each to its end, when it is due, past failures."""

from __future__ import annotations

import pytest

from chatsite.cleanup import CleanupTask, cleanup_tasks, register
from inference.worker.cleanup import Cleanup


class Rows:
    """A task's stock: `erase` takes at most two at a time."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.calls = 0

    def erase(self) -> int:
        self.calls += 1
        gone = min(self.count, 2)
        self.count -= gone
        return gone


def test_each_app_registers_its_own() -> None:
    assert [(task.erase.__module__, task.name, task.every_s) for task in cleanup_tasks()] == [
        ("chatsite.accounts.expired_sessions", "erase_expired_sessions", 20),
        ("chatsite.attachments.erase", "erase_deleted", 20),
        ("chatsite.attachments.erase", "erase_abandoned", 3_600),
        ("chatsite.generations.erase", "erase_temporary", 20),
        ("chatsite.jobs.actions", "erase_old_jobs", 20),
        ("chatsite.retention.cleanup", "erase_past_retention", 20),
        ("chatsite.transfer.hidden_import", "continue_imports", 20),
        ("chatsite.account_deletion.erasure", "continue_account_deletions", 20),
        ("chatsite.conversations.scrub", "scrub_files", 20),
    ]


def test_a_task_is_registered_once() -> None:
    before = cleanup_tasks()
    register(before[0])
    assert cleanup_tasks() == before


@pytest.mark.django_db(transaction=True)
async def test_each_runs_to_its_end_and_again_when_it_is_due() -> None:
    often, seldom = Rows(5), Rows(1)
    cleanup = Cleanup([CleanupTask(often.erase, 20), CleanupTask(seldom.erase, 3_600)])
    await cleanup.step(0)
    assert (often.count, often.calls, seldom.count, seldom.calls) == (0, 4, 0, 2)
    await cleanup.step(20)
    assert (often.calls, seldom.calls) == (5, 2)
    await cleanup.step(3_600)
    assert (often.calls, seldom.calls) == (6, 3)


@pytest.mark.django_db(transaction=True)
async def test_a_failing_task_holds_up_no_other_and_is_tried_again() -> None:
    calls = 0

    def fail() -> int:
        nonlocal calls
        calls += 1
        raise RuntimeError("the disk is full")

    rows = Rows(1)
    cleanup = Cleanup([CleanupTask(fail), CleanupTask(rows.erase)])
    await cleanup.step(0)
    await cleanup.step(20)
    assert (calls, rows.count) == (2, 0)
