"""How many SQL statements each step of a question takes, exactly: one more is a decision, not an accident.

Those that begin and end transactions are not counted. `python -m bench question` measures what they cost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chatsite.accounts.keys import do_create_key, find_key
from chatsite.generations.submit import Prepared, Submitted, do_store, prepare_prompt, prepare_submit
from chatsite.quotas.plans import limits_of
from inference.dispatch.store import Answer, Claim, Outcome
from inference.request import ChatMessage, Usage
from inference.worker.intake import read_changes
from inference.worker.owner import next_epoch
from inference.worker.recorder import Recorder
from tests.support.people import People, ask_of

pytestmark = pytest.mark.django_db

T = TypeVar("T")
TRANSACTION = ("BEGIN", "SAVEPOINT", "RELEASE", "COMMIT")


def counted(step: Callable[[], T]) -> tuple[T, int]:
    with CaptureQueriesContext(connection) as seen:
        found = step()
    return found, sum(not query["sql"].startswith(TRANSACTION) for query in seen)


def steps(prepare: Callable[[], Prepared]) -> tuple[Submitted, dict[str, int]]:
    """A question from its preparation to its settlement; how many statements each step took."""
    counts: dict[str, int] = {}
    recorder = Recorder(next_epoch(), lambda: "a model")
    prepared, counts["prepare"] = counted(prepare)
    done, counts["store"] = counted(lambda: do_store(prepared))
    generation = str(done.generation)
    _, counts["read the queue"] = counted(lambda: read_changes((), True))
    _, counts["claim"] = counted(lambda: recorder.do_claim([Claim(generation, 1)]))
    _, counts["checkpoint"] = counted(
        lambda: recorder.do_checkpoint([Answer(generation, 1, "Because", "", 1, 1)])
    )
    outcome = Outcome(generation, 1, "finished", "stop", "Because.", "", 2, Usage(9, 0, 2))
    _, counts["finish"] = counted(lambda: recorder.do_finish([outcome]))
    return done, counts


def test_a_new_chat_and_a_follow_up(people: People) -> None:
    alice = people.alice
    first, new_chat = steps(lambda: prepare_submit(ask_of(alice), "Why is the sky blue?", None, None))
    _, follow_up = steps(
        lambda: prepare_submit(ask_of(alice), "And at night?", first.conversation, first.answer)
    )
    assert new_chat == {
        "prepare": 2, "store": 8, "read the queue": 5, "claim": 1, "checkpoint": 2, "finish": 8,
    }  # fmt: skip
    assert follow_up == {
        "prepare": 5, "store": 9, "read the queue": 5, "claim": 1, "checkpoint": 2, "finish": 8,
    }  # fmt: skip


def test_a_program_asks(people: People) -> None:
    key, text = do_create_key(people.alice.pk, "a script", ["chat"])
    prompt = [ChatMessage("user", "Why is the sky blue?")]
    _, counts = steps(lambda: prepare_prompt(ask_of(people.alice, api_key=key.id), prompt, store=False))
    assert counts == {
        "prepare": 1, "store": 7, "read the queue": 5, "claim": 1, "checkpoint": 2, "finish": 7,
    }  # fmt: skip
    assert counted(lambda: find_key(text))[1] == 1
    assert counted(lambda: limits_of(people.alice.pk))[1] == 1


def test_many_ends_together_take_no_more_look_ups(people: People) -> None:
    """What grows with their number is what is written."""
    recorder = Recorder(next_epoch(), lambda: "a model")
    done = [
        do_store(prepare_submit(ask_of(person), "Why is the sky blue?", None, None))
        for person in (people.alice, people.bob, people.charlie)
    ]
    recorder.do_claim([Claim(str(one.generation), 1) for one in done])
    outcomes = [
        Outcome(str(one.generation), 1, "finished", "stop", "Because.", "", 2, Usage(9, 0, 2)) for one in done
    ]
    assert counted(lambda: recorder.do_finish(outcomes))[1] == 8 + 2 * 4
