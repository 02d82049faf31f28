"""The rules of the order, one test or more for each, through the scheduler that people meet."""

import pytest

from inference.scheduling.policy import Policy
from inference.scheduling.request_queue import FifoQueue, StrictPriorityQueue
from inference.scheduling.scheduler import Scheduler
from tests.inference.asking import answer, ask, served, small_scheduler, start_all

# 1. Earliest deadline first between classes.


def test_a_quick_request_goes_before_normal_and_heavy_ones_asked_at_the_same_time():
    scheduler = small_scheduler()
    for kind, user in (("heavy", "a"), ("normal", "b"), ("quick", "c")):
        scheduler.add(ask(kind, user, kind), 0)
    assert served(scheduler) == ["quick", "normal", "heavy"]


def test_every_deadline_becomes_the_earliest_in_the_end():
    scheduler = small_scheduler(ageing_factor=1_000)
    scheduler.add(ask("old", "a", "heavy"), 0)
    scheduler.add(ask("before", "b", "quick"), 58.9)
    scheduler.add(ask("after", "c", "quick"), 59.1)
    assert served(scheduler, 59.1) == ["before", "old", "after"]


def test_time_waited_before_this_process_counts():
    scheduler = small_scheduler()
    scheduler.add(ask("new", "a"), 100)
    scheduler.add(ask("from before the restart", "b", waited_s=5), 100)
    assert served(scheduler, 100) == ["from before the restart", "new"]


# 2. The smallest counter first within a class.


def test_the_least_served_user_goes_first():
    scheduler = small_scheduler()
    scheduler.add(ask("first", "greedy"), 0)
    scheduler.add(ask("second", "greedy"), 0)
    scheduler.add(ask("hers", "modest"), 1)
    assert served(scheduler, 1) == ["first", "hers", "second"]


def test_users_take_turns_whatever_they_have_queued():
    scheduler = small_scheduler()
    for number in range(5):
        scheduler.add(ask(f"a{number}", "alice"), 0)
    for number in range(3):
        scheduler.add(ask(f"b{number}", "bob"), 0.5)
    assert served(scheduler, 1) == ["a0", "b0", "a1", "b1", "a2", "b2", "a3", "a4"]


def test_one_counter_over_all_classes():
    scheduler = small_scheduler()
    scheduler.add(ask("document", "alice", "heavy"), 0)
    assert start_all(scheduler, 0) == ["document"]
    scheduler.add(ask("alice asks too", "alice"), 1)
    scheduler.add(ask("bob asks", "bob"), 2)
    answer(scheduler, "document", 3)
    assert served(scheduler, 3) == ["bob asks", "alice asks too"]


def test_tokens_that_come_while_somebody_waits_count_at_once():
    scheduler = small_scheduler(slots=3)
    for user in ("ann", "bob", "cy"):
        scheduler.add(ask(f"{user} first", user), 0)
    start_all(scheduler, 0)
    scheduler.add(ask("ann next", "ann"), 1)
    scheduler.add(ask("bob next", "bob"), 2)
    scheduler.produced("ann first", 1_000, 3)
    scheduler.finish("cy first", 3)
    assert scheduler.schedule_next(3).generation == "bob next"


def test_weight_buys_a_larger_share():
    scheduler = small_scheduler()
    for number in range(30):
        scheduler.add(ask(f"p{number}", "plus", weight=2.0), 0)
        scheduler.add(ask(f"b{number}", "basic"), 0)
    first = served(scheduler, 0)[:30]
    assert sum(generation.startswith("p") for generation in first) == pytest.approx(20, abs=1)


def test_output_costs_twice_as_much_as_prompt():
    scheduler = small_scheduler(slots=2)
    scheduler.add(ask("reads", "reader", prompt_tokens=1_000), 0)
    scheduler.add(ask("writes", "writer", prompt_tokens=100), 0)
    start_all(scheduler, 0)
    scheduler.add(ask("writes again", "writer"), 0)
    scheduler.add(ask("reads again", "reader"), 0)
    answer(scheduler, "writes", 1, tokens=449)
    assert scheduler.schedule_next(1).generation == "writes again"
    scheduler.produced("reads", 1, 1)
    assert scheduler.counters.of("writer") == 100 + 2 * 449 + 400
    assert scheduler.counters.of("reader") == 1_000 + 2


def test_the_provisional_charge_is_corrected_by_cached_tokens():
    scheduler = small_scheduler()
    scheduler.add(ask("a", "alice", prompt_tokens=1_000), 0)
    scheduler.schedule_next(0)
    assert scheduler.counters.of("alice") == 1_000
    scheduler.prefilled("a", 1_000, 900)
    assert scheduler.counters.of("alice") == 100
    scheduler.prefilled("a", 1_000, 0)
    assert scheduler.counters.of("alice") == 100, "corrected once"


def test_heavy_users_keep_their_position_within_the_slack():
    scheduler = small_scheduler(heavy_slack=10_000)
    scheduler.add(ask("large", "alice", "heavy", prompt_tokens=9_000), 0)
    start_all(scheduler, 0)
    scheduler.add(ask("alice again", "alice", "heavy"), 1)
    scheduler.add(ask("bob", "bob", "heavy"), 2)
    answer(scheduler, "large", 3)
    assert served(scheduler, 3) == ["alice again", "bob"]


def test_heavy_users_beyond_the_slack_fall_behind():
    scheduler = small_scheduler(heavy_slack=5_000)
    scheduler.add(ask("large", "alice", "heavy", prompt_tokens=9_000), 0)
    start_all(scheduler, 0)
    scheduler.add(ask("bob", "bob", "heavy"), 1)
    scheduler.add(ask("alice again", "alice", "heavy"), 0.5)
    answer(scheduler, "large", 3)
    assert served(scheduler, 3) == ["bob", "alice again"]


# 3. Ageing.


def test_a_request_that_waited_twice_its_tau_goes_first():
    scheduler = small_scheduler()
    scheduler.add(ask("warm-up", "modest", prompt_tokens=2_000), 0)
    start_all(scheduler, 0)
    answer(scheduler, "warm-up", 0)
    scheduler.add(ask("x", "other"), 0)
    scheduler.add(ask("modest waits", "modest"), 0)
    assert scheduler.schedule_next(19.9).generation == "x"
    scheduler.finish("x", 19.9)
    scheduler.add(ask("y", "another"), 19.9)
    assert scheduler.schedule_next(20.1).generation == "modest waits"


def test_a_flooders_backlog_does_not_age_while_they_run_something():
    scheduler = small_scheduler(slots=2)
    for number in range(4):
        scheduler.add(ask(f"f{number}", "flooder"), 0)
    start_all(scheduler, 0)
    scheduler.add(ask("hers", "light"), 30)
    scheduler.finish("f0", 30)
    assert scheduler.schedule_next(30).generation == "hers"


def test_aged_requests_go_by_age_so_that_quick_ones_shut_out_nobody():
    scheduler = small_scheduler()
    scheduler.add(ask("heavy", "h", "heavy"), 0)
    scheduler.add(ask("normal", "n", "normal"), 95)
    scheduler.add(ask("quick", "q", "quick"), 100)
    assert served(scheduler, 125) == ["heavy", "normal", "quick"]


# The queues that ours is measured against.


def test_fifo_serves_in_the_order_of_asking():
    scheduler = Scheduler(Policy(max_running=1, reserved_slots=0), 1_000_000, FifoQueue)
    for number, kind in enumerate(("heavy", "normal", "quick")):
        scheduler.add(ask(kind, kind, kind), number)
    assert [position.generation for position in scheduler.positions(3)] == ["heavy", "normal", "quick"]
    assert served(scheduler, 3) == ["heavy", "normal", "quick"]


def test_strict_classes_let_heavy_starve():
    scheduler = Scheduler(Policy(max_running=1, reserved_slots=0), 1_000_000, StrictPriorityQueue)
    scheduler.add(ask("heavy", "h", "heavy"), 0)
    scheduler.add(ask("quick", "q", "quick"), 1_000)
    scheduler.add(ask("normal", "n", "normal"), 1_000)
    assert [position.generation for position in scheduler.positions(1_000)] == ["quick", "normal", "heavy"]
    assert served(scheduler, 1_000) == ["quick", "normal", "heavy"]
