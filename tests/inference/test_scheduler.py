"""The scheduler's interface: arrivals, refusals, departures, deadlines, positions, load."""

import pytest

from inference.request import ChatMessage
from inference.scheduling.policy import Policy
from inference.scheduling.scheduler import (
    MAX_RETRY_AFTER_S,
    DuplicateError,
    QueueFullError,
    Scheduler,
    TooLargeError,
)
from tests.inference.asking import answer, ask, start_all


def new_scheduler(slots=2, kv_tokens=100_000, reserved=0, **settings):
    return Scheduler(Policy(max_running=slots, reserved_slots=reserved, **settings), kv_tokens)


# Arrivals and refusals.


def test_add_says_the_class():
    scheduler = new_scheduler()
    assert [scheduler.add(ask(kind, kind, kind), 0) for kind in ("quick", "normal", "heavy")] == [
        "quick",
        "normal",
        "heavy",
    ]


def test_a_continued_conversation_is_classed_by_what_is_not_cached():
    scheduler = new_scheduler()
    hello = (ChatMessage("user", "x" * 9_000),)
    scheduler.add(ask("1", kind="heavy", conversation="c", messages=hello), 0)
    start_all(scheduler, 0)
    answer(scheduler, "1", 1)
    more = (*hello, ChatMessage("assistant", "y"), ChatMessage("user", "and?"))
    assert (
        scheduler.add(ask("2", kind="quick", prompt_tokens=3_100, conversation="c", messages=more), 2)
        == "quick"
    )


@pytest.mark.parametrize("state", ["waiting", "running"])
def test_the_same_generation_is_refused_twice(state):
    scheduler = new_scheduler()
    scheduler.add(ask("a"), 0)
    if state == "running":
        scheduler.schedule_next(0)
    with pytest.raises(DuplicateError, match="generation a"):
        scheduler.add(ask("a"), 1)
    assert scheduler.load().waiting["normal"] + scheduler.load().running["normal"] == 1


def test_what_cannot_fit_an_empty_engine_is_refused():
    scheduler = new_scheduler(kv_tokens=10_000)
    with pytest.raises(TooLargeError, match=r"9950 .* 100 .* 10000"):
        scheduler.add(ask("a", kind="heavy", prompt_tokens=9_950), 0)
    scheduler.add(ask("b", kind="heavy", prompt_tokens=9_900), 0)
    assert scheduler.schedule_next(0).generation == "b", "the largest that fits is served, alone"


def test_a_full_class_refuses_everybody_but_no_other_class():
    scheduler = new_scheduler(queue_normal=3)
    for number in range(3):
        scheduler.add(ask(f"n{number}", f"u{number}"), 0)
    with pytest.raises(QueueFullError, match="3 normal requests are waiting") as refusal:
        scheduler.add(ask("n3", "u3"), 0)
    assert refusal.value.retry_after_s > 0
    scheduler.add(ask("q", "u3", "quick"), 0)


def test_a_full_user_is_refused_alone():
    scheduler = new_scheduler(queue_user=2)
    for number in range(2):
        scheduler.add(ask(f"a{number}", "alice"), 0)
    with pytest.raises(QueueFullError, match="of this user's requests"):
        scheduler.add(ask("a2", "alice", "quick"), 0)
    scheduler.add(ask("b", "bob"), 0)


def test_retry_after_is_the_queued_tokens_by_the_measured_rate():
    scheduler = new_scheduler(slots=1)
    scheduler.add(ask("first", "u", prompt_tokens=400), 0)
    start_all(scheduler, 0)
    for second in range(1, 101):
        scheduler.produced("first", 100, second)
    for number in range(4):
        scheduler.add(ask(f"n{number}", f"u{number}", prompt_tokens=1_000), 100)
    queued = scheduler.load().queued_tokens
    assert scheduler.retry_after_s(100) == pytest.approx(queued / 100, rel=0.1)


def test_retry_after_is_never_absurd():
    scheduler = new_scheduler(queue_user=1_000)
    assert 0 < scheduler.retry_after_s(0) < 60, "before any measurement"
    scheduler.add(ask("first"), 0)
    start_all(scheduler, 0)
    scheduler.produced("first", 1, 0)
    scheduler.produced("first", 1, 10)
    for number in range(900):
        scheduler.add(ask(f"n{number}", kind="heavy"), 10)
    assert scheduler.retry_after_s(10) == MAX_RETRY_AFTER_S


# Departures.


def test_finish_frees_the_slot():
    scheduler = new_scheduler(slots=1)
    scheduler.add(ask("a", "alice"), 0)
    scheduler.add(ask("b", "bob"), 0)
    assert start_all(scheduler, 0) == ["a"]
    scheduler.finish("a", 1)
    assert start_all(scheduler, 1) == ["b"]


def test_a_cancelled_request_leaves_the_queue():
    scheduler = new_scheduler(slots=1)
    for name in "abc":
        scheduler.add(ask(name, name), 0)
    start_all(scheduler, 0)
    scheduler.finish("b", 1)
    assert [position.generation for position in scheduler.positions(1)] == ["c"]


def test_finishing_twice_or_the_unknown_changes_nothing():
    scheduler = new_scheduler()
    scheduler.add(ask("a"), 0)
    scheduler.schedule_next(0)
    for _ in range(2):
        scheduler.finish("a", 1)
        scheduler.finish("never seen", 1)
        scheduler.produced("a", 5, 1)
        scheduler.prefilled("a", 10, 0)
        scheduler.requeue("a", 1)
    load = scheduler.load()
    assert (sum(load.waiting.values()), sum(load.running.values()), load.kv_tokens) == (0, 0, 0)


def test_an_engine_that_tells_of_its_cache_at_the_end_corrects_the_charge_then():
    scheduler = new_scheduler()
    scheduler.add(ask("a", "alice", prompt_tokens=1_000), 0)
    scheduler.schedule_next(0)
    scheduler.prefilled("a", 1_000, None)
    assert scheduler.counters.of("alice") == 1_000, "as provisional as before"
    scheduler.report_cached("a", 900)
    scheduler.report_cached("a", 0)
    assert scheduler.counters.of("alice") == 100


def test_requeue_goes_back_to_the_old_position_with_the_charge_undone():
    scheduler = new_scheduler(slots=1)
    scheduler.add(ask("a", "alice"), 0)
    scheduler.add(ask("b", "bob"), 1)
    scheduler.add(ask("a2", "alice"), 2)
    assert scheduler.schedule_next(2).generation == "a"
    scheduler.requeue("a", 3)
    assert scheduler.counters.of("alice") == 0
    assert scheduler.load().running["normal"] == 0
    assert [position.generation for position in scheduler.positions(3)] == ["a", "b", "a2"]
    assert scheduler.schedule_next(3).generation == "a"


def test_a_requeued_heavy_request_lets_the_next_prefill_begin():
    scheduler = new_scheduler(slots=4)
    scheduler.add(ask("h", "h", "heavy"), 0)
    scheduler.schedule_next(0)
    scheduler.requeue("h", 0)
    assert scheduler.schedule_next(1).generation == "h"


# Deadlines.


def test_the_queue_deadline():
    scheduler = new_scheduler(slots=1)
    for name, kind in (("runs", "normal"), ("waits", "normal"), ("document", "heavy")):
        scheduler.add(ask(name, name, kind), 0)
    start_all(scheduler, 0)
    scheduler.produced("runs", 1, 29)
    assert scheduler.expired(29.9) == []
    assert scheduler.expired(30) == [("waits", "queue")]
    assert scheduler.expired(31) == [("waits", "queue")], "reported until it is finished"
    scheduler.finish("waits", 31)
    assert scheduler.expired(32) == []
    scheduler.produced("runs", 1, 590)
    assert ("document", "queue") in scheduler.expired(1_800)


def test_the_first_token_deadline_counts_from_the_asking():
    scheduler = new_scheduler()
    scheduler.add(ask("a"), 0)
    scheduler.schedule_next(20)
    assert scheduler.expired(29.9) == []
    assert scheduler.expired(30) == [("a", "first_token")]


def test_the_stall_deadline_counts_from_the_last_token():
    scheduler = new_scheduler()
    scheduler.add(ask("a"), 0)
    start_all(scheduler, 0)
    scheduler.produced("a", 1, 10)
    assert scheduler.expired(39.9) == []
    assert scheduler.expired(40) == [("a", "stall")]


def test_the_total_deadline_counts_from_the_start():
    scheduler = new_scheduler()
    scheduler.add(ask("a", max_tokens=10_000), 0)
    start_all(scheduler, 5)
    for second in range(5, 606, 5):
        scheduler.produced("a", 1, second)
    assert scheduler.expired(604.9) == []
    assert scheduler.expired(605) == [("a", "total")]


def test_time_waited_before_this_process_met_it_uses_up_no_deadline():
    scheduler = new_scheduler(slots=1)
    scheduler.add(ask("a", waited_s=300), 1_000)
    assert scheduler.expired(1_029) == []
    assert scheduler.expired(1_030) == [("a", "queue")]


def test_no_deadline_of_the_queue_runs_while_no_engine_serves():
    scheduler = new_scheduler()
    scheduler.add(ask("a"), 0)
    scheduler.pause(10)
    assert scheduler.schedule_next(10) is None
    assert scheduler.expired(500) == []
    scheduler.resume(500)
    assert scheduler.expired(519) == []
    assert scheduler.expired(520) == [("a", "queue")]
    assert scheduler.schedule_next(519).generation == "a"


# Positions, load, priority.


def test_positions_count_from_one_in_the_order_of_service():
    scheduler = new_scheduler(slots=1)
    scheduler.add(ask("runs", "z"), 0)
    start_all(scheduler, 0)
    scheduler.add(ask("document", "d", "heavy"), 0)
    scheduler.add(ask("a1", "alice"), 0)
    scheduler.add(ask("a2", "alice"), 0)
    scheduler.add(ask("b1", "bob"), 1)
    scheduler.add(ask("q", "carol", "quick"), 2)
    positions = scheduler.positions(2)
    assert [(position.position, position.generation) for position in positions] == [
        (1, "q"),
        (2, "a1"),
        (3, "b1"),
        (4, "a2"),
        (5, "document"),
    ]
    assert (positions[0].kind, positions[0].user, positions[0].eta_s) == ("quick", "carol", None)


def test_positions_are_the_order_in_which_requests_start():
    scheduler = new_scheduler(slots=1, user_running=50, heavy_slack=0.0, normal_slack=0.0, quick_slack=0.0)
    for number in range(40):
        kind = ("quick", "normal", "heavy")[number % 3]
        scheduler.add(ask(f"g{number}", f"u{number * 7 % 5}", kind, max_tokens=10), number * 0.3)
    expected = [position.generation for position in scheduler.positions(12)]
    started = []
    while expected and (request := scheduler.schedule_next(12)):
        started.append(request.generation)
        scheduler.prefilled(request.generation, request.prompt_tokens, 0)
        scheduler.finish(request.generation, 12)
    assert set(started) == set(expected)
    moved = [abs(expected.index(generation) - position) for position, generation in enumerate(started)]
    assert sorted(moved)[len(moved) // 2] <= 4


def test_load_counts_by_class_and_by_user():
    scheduler = new_scheduler(slots=2)
    scheduler.add(ask("h", "alice", "heavy"), 0)
    scheduler.add(ask("n", "alice"), 0)
    scheduler.add(ask("q", "bob", "quick"), 0)
    start_all(scheduler, 0)
    load = scheduler.load()
    assert load.waiting == {"quick": 0, "normal": 0, "heavy": 1}
    assert load.running == {"quick": 1, "normal": 1, "heavy": 0}
    assert scheduler.waiting.of_user == {"alice": 1}
    assert scheduler.running.of_user == {"bob": 1, "alice": 1}
    assert load.kv_tokens == 400 + 100 + 50 + 100
    assert load.slots == 2


def test_priority_is_in_deadline_order():
    scheduler = new_scheduler()
    scheduler.add(ask("document", "d", "heavy"), 0)
    scheduler.add(ask("normal", "n"), 5)
    scheduler.add(ask("quick", "q", "quick"), 10)
    priorities = [scheduler.priority_of(name) for name in ("quick", "normal", "document")]
    assert priorities == [11_000, 15_000, 60_000]
    scheduler.schedule_next(10)
    assert scheduler.priority_of("quick") == 11_000, "the same once it runs"
    assert scheduler.priority_of("unknown") == 0
