"""The rules of the order, one test or more for each, through the scheduler that people meet."""

import pytest

from inference.scheduling.order import Fifo, StrictClasses
from inference.scheduling.policy import Policy
from inference.scheduling.scheduler import Scheduler
from tests.inference.asking import answer, ask, start_all


def scheduler(slots=1, reserved=0, kv_tokens=1_000_000, **settings):
    settings = {
        "user_running": 100,
        "beyond_cap_share": 1.0,
        "quick_slack": 0.0,
        "normal_slack": 0.0,
        **settings,
    }
    return Scheduler(Policy(max_running=slots, reserved_slots=reserved, **settings), kv_tokens)


def served(line, now=0.0):
    """Serve the whole line one by one: the order in which requests start."""
    order = []
    while started := start_all(line, now):
        order += started
        for generation in started:
            answer(line, generation, now, tokens=1)
    return order


# 1. Earliest deadline first between classes.


def test_a_quick_request_goes_before_normal_and_heavy_ones_asked_at_the_same_time():
    line = scheduler()
    for kind, user in (("heavy", "a"), ("normal", "b"), ("quick", "c")):
        line.add(ask(kind, user, kind), 0)
    assert served(line) == ["quick", "normal", "heavy"]


def test_every_deadline_becomes_the_earliest_in_the_end():
    line = scheduler(ageing_factor=1_000)
    line.add(ask("old", "a", "heavy"), 0)
    line.add(ask("before", "b", "quick"), 58.9)
    line.add(ask("after", "c", "quick"), 59.1)
    assert served(line, 59.1) == ["before", "old", "after"]


def test_time_waited_before_this_process_counts():
    line = scheduler()
    line.add(ask("new", "a"), 100)
    line.add(ask("from before the restart", "b", waited_s=5), 100)
    assert served(line, 100) == ["from before the restart", "new"]


# 2. The smallest counter first within a class.


def test_the_least_served_user_goes_first():
    line = scheduler()
    line.add(ask("first", "greedy"), 0)
    line.add(ask("second", "greedy"), 0)
    line.add(ask("hers", "modest"), 1)
    assert served(line, 1) == ["first", "hers", "second"]


def test_users_take_turns_whatever_they_have_in_line():
    line = scheduler()
    for number in range(5):
        line.add(ask(f"a{number}", "alice"), 0)
    for number in range(3):
        line.add(ask(f"b{number}", "bob"), 0.5)
    assert served(line, 1) == ["a0", "b0", "a1", "b1", "a2", "b2", "a3", "a4"]


def test_one_counter_over_all_classes():
    line = scheduler()
    line.add(ask("document", "alice", "heavy"), 0)
    assert start_all(line, 0) == ["document"]
    line.add(ask("alice asks too", "alice"), 1)
    line.add(ask("bob asks", "bob"), 2)
    answer(line, "document", 3)
    assert served(line, 3) == ["bob asks", "alice asks too"]


def test_tokens_that_come_while_somebody_waits_count_at_once():
    line = scheduler(slots=3)
    for user in ("ann", "bob", "cy"):
        line.add(ask(f"{user} first", user), 0)
    start_all(line, 0)
    line.add(ask("ann next", "ann"), 1)
    line.add(ask("bob next", "bob"), 2)
    line.produced("ann first", 1_000, 3)
    line.finish("cy first", 3)
    assert line.pick(3).generation == "bob next"


def test_weight_buys_a_larger_share():
    line = scheduler()
    for number in range(30):
        line.add(ask(f"p{number}", "plus", weight=2.0), 0)
        line.add(ask(f"b{number}", "basic"), 0)
    first = served(line, 0)[:30]
    assert sum(generation.startswith("p") for generation in first) == pytest.approx(20, abs=1)


def test_output_costs_twice_as_much_as_prompt():
    line = scheduler(slots=2)
    line.add(ask("reads", "reader", prompt_tokens=1_000), 0)
    line.add(ask("writes", "writer", prompt_tokens=100), 0)
    start_all(line, 0)
    line.add(ask("writes again", "writer"), 0)
    line.add(ask("reads again", "reader"), 0)
    answer(line, "writes", 1, tokens=449)
    assert line.pick(1).generation == "writes again"
    line.produced("reads", 1, 1)
    assert line.counters.of("writer") == 100 + 2 * 449 + 400
    assert line.counters.of("reader") == 1_000 + 2


def test_the_provisional_charge_is_corrected_by_cached_tokens():
    line = scheduler()
    line.add(ask("a", "alice", prompt_tokens=1_000), 0)
    line.pick(0)
    assert line.counters.of("alice") == 1_000
    line.prefilled("a", 1_000, 900)
    assert line.counters.of("alice") == 100
    line.prefilled("a", 1_000, 0)
    assert line.counters.of("alice") == 100, "corrected once"


def test_heavy_users_keep_their_place_within_the_slack():
    line = scheduler(heavy_slack=10_000)
    line.add(ask("large", "alice", "heavy", prompt_tokens=9_000), 0)
    start_all(line, 0)
    line.add(ask("alice again", "alice", "heavy"), 1)
    line.add(ask("bob", "bob", "heavy"), 2)
    answer(line, "large", 3)
    assert served(line, 3) == ["alice again", "bob"]


def test_heavy_users_beyond_the_slack_fall_behind():
    line = scheduler(heavy_slack=5_000)
    line.add(ask("large", "alice", "heavy", prompt_tokens=9_000), 0)
    start_all(line, 0)
    line.add(ask("bob", "bob", "heavy"), 1)
    line.add(ask("alice again", "alice", "heavy"), 0.5)
    answer(line, "large", 3)
    assert served(line, 3) == ["bob", "alice again"]


# 3. Ageing.


def test_a_request_that_waited_twice_its_tau_goes_first():
    line = scheduler()
    line.add(ask("warm-up", "modest", prompt_tokens=2_000), 0)
    start_all(line, 0)
    answer(line, "warm-up", 0)
    line.add(ask("x", "other"), 0)
    line.add(ask("modest waits", "modest"), 0)
    assert line.pick(19.9).generation == "x"
    line.finish("x", 19.9)
    line.add(ask("y", "another"), 19.9)
    assert line.pick(20.1).generation == "modest waits"


def test_a_flooders_backlog_does_not_age_while_they_run_something():
    line = scheduler(slots=2)
    for number in range(4):
        line.add(ask(f"f{number}", "flooder"), 0)
    start_all(line, 0)
    line.add(ask("hers", "light"), 30)
    line.finish("f0", 30)
    assert line.pick(30).generation == "hers"


def test_aged_requests_go_by_age_so_that_quick_ones_shut_out_nobody():
    line = scheduler()
    line.add(ask("heavy", "h", "heavy"), 0)
    line.add(ask("normal", "n", "normal"), 95)
    line.add(ask("quick", "q", "quick"), 100)
    assert served(line, 125) == ["heavy", "normal", "quick"]


# 4. Reserved slots.


def test_reserved_slots_are_for_quick_requests_alone():
    line = scheduler(slots=2, reserved=2)
    for number in range(5):
        line.add(ask(f"n{number}", f"user-{number}"), 0)
    assert len(start_all(line, 0)) == 2
    for number in range(3):
        line.add(ask(f"q{number}", f"quick-{number}", "quick"), 1)
    assert start_all(line, 1) == ["q0", "q1"]
    assert line.load().reserved == 2


def test_one_user_holds_one_reserved_slot_at_most():
    line = scheduler(slots=1, reserved=2)
    line.add(ask("n", "n"), 0)
    start_all(line, 0)
    for number in range(3):
        line.add(ask(f"q{number}", "eager", "quick"), 1)
    assert start_all(line, 1) == ["q0"]
    line.add(ask("other", "other", "quick"), 2)
    assert start_all(line, 2) == ["other"]


def test_a_user_beyond_their_cap_gets_no_reserved_slot():
    line = scheduler(slots=2, reserved=1, user_running=1)
    line.add(ask("f", "flooder"), 0)
    line.add(ask("n", "n"), 0)
    start_all(line, 0)
    line.add(ask("f2", "flooder", "quick"), 1)
    assert line.pick(1) is None
    line.add(ask("hers", "light", "quick"), 1)
    assert line.pick(1).generation == "hers"


def test_no_more_than_r_reserved_slots_are_held_when_kv_tokens_run_out_first():
    line = scheduler(slots=50, reserved=2, kv_tokens=10_000)
    for number in range(8):
        line.add(ask(f"n{number}", f"n{number}", prompt_tokens=950), 0)
    start_all(line, 0)
    for number in range(4):
        line.add(ask(f"q{number}", f"q{number}", "quick", prompt_tokens=110), 1)
    assert start_all(line, 1) == ["q0", "q1"]


def test_a_long_quick_answer_gives_its_reserved_slot_back():
    line = scheduler(slots=1, reserved=1)
    line.add(ask("n", "n"), 0)
    start_all(line, 0)
    line.add(ask("q", "q", "quick", max_tokens=2_000), 0)
    start_all(line, 0)
    assert line.load().reserved == 1
    line.add(ask("late", "late", "quick"), 1)
    line.produced("q", 511, 1)
    assert line.load().reserved == 1
    line.produced("q", 1, 1)
    assert line.load().reserved == 0
    assert line.pick(1) is None, "both slots of the engine are still held"
    line.finish("n", 1)
    assert line.pick(1).generation == "late"


def test_an_aged_request_may_use_a_reserved_slot_while_its_class_runs_nothing():
    line = scheduler(slots=1, reserved=1)
    line.add(ask("q", "q", "quick"), 0)
    start_all(line, 0)
    line.add(ask("h", "h", "heavy"), 0)
    assert line.pick(119) is None
    assert line.pick(121).generation == "h"
    line.add(ask("h2", "h2", "heavy", waited_s=200), 121)
    line.prefilled("h", 3_000, 0)
    line.finish("q", 122)
    assert line.pick(122).generation == "h2", "general slot"


def test_aged_requests_do_not_take_the_reserve_from_quick_ones_for_good():
    line = scheduler(slots=4, reserved=2)
    for number in range(3):
        line.add(ask(f"n{number}", f"n{number}"), 0)
    start_all(line, 0)
    for number in range(4):
        line.add(ask(f"h{number}", f"h{number}", "heavy"), 0)
    assert start_all(line, 0) == ["h0"]
    assert start_all(line, 500) == [], "a heavy request runs, so heavy is not shut out"
    line.add(ask("q", "q", "quick"), 500)
    assert line.pick(500).generation == "q"


# 5. Caps yield.


def test_the_cap_per_user_binds_while_somebody_else_waits():
    line = scheduler(slots=4, user_running=2)
    for number in range(6):
        line.add(ask(f"f{number}", "flooder"), 0)
    line.add(ask("b", "bob"), 1)
    line.add(ask("c", "carol"), 1)
    assert sorted(start_all(line, 1)) == ["b", "c", "f0", "f1"]


def test_the_cap_per_user_yields_when_nobody_else_waits():
    line = scheduler(slots=4, user_running=2)
    for number in range(6):
        line.add(ask(f"f{number}", "flooder"), 0)
    assert len(start_all(line, 1)) == 4


def test_the_plan_names_the_cap():
    line = scheduler(slots=4)
    for number in range(6):
        line.add(ask(f"f{number}", "flooder", max_running=1), 0)
    for number in range(3):
        line.add(ask(f"b{number}", f"b{number}"), 1)
    assert sorted(start_all(line, 1)) == ["b0", "b1", "b2", "f0"]


def test_one_heavy_per_user_while_others_wait():
    line = scheduler(slots=8)
    for number in range(3):
        line.add(ask(f"a{number}", "alice", "heavy"), 0)
    for number in range(2):
        line.add(ask(f"b{number}", f"b{number}", "heavy"), 1)
    assert [start_all(line, 2)[0:3]][0] == ["a0", "b0", "b1"]


def test_heavy_requests_hold_half_of_k_while_lighter_ones_wait():
    line = scheduler(slots=4)
    for number in range(4):
        line.add(ask(f"h{number}", f"h{number}", "heavy"), 0)
    for number in range(2):
        line.add(ask(f"n{number}", f"n{number}"), 200)
    assert sorted(start_all(line, 201)) == ["h0", "h1", "n0", "n1"]


def test_heavy_requests_fill_all_of_k_while_nobody_else_waits():
    line = scheduler(slots=4)
    for number in range(6):
        line.add(ask(f"h{number}", f"h{number}", "heavy"), 0)
    assert len(start_all(line, 1)) == 4


def test_beside_others_a_user_beyond_their_cap_leaves_slots_free():
    line = scheduler(slots=10, user_running=2, beyond_cap_share=0.8)
    line.add(ask("b", "bob"), 0)
    for number in range(20):
        line.add(ask(f"f{number}", "flooder"), 0)
    assert len(start_all(line, 0)) == 8
    line.add(ask("c", "carol"), 1)
    assert start_all(line, 1) == ["c"]


def test_beside_others_a_user_beyond_their_cap_adds_no_queue_of_prompts():
    line = scheduler(slots=10, user_running=2, beyond_cap_prefill_tokens=512)
    line.add(ask("b", "bob"), 0)
    for number in range(6):
        line.add(ask(f"f{number}", "flooder"), 0)
    started = [line.pick(0) for _ in range(3)]
    assert all(started), "within caps, prompts may prefill together"
    assert line.pick(0) is None
    for request in started:
        line.prefilled(request.generation, 400, 0)
    assert line.pick(0).user == "flooder"
    assert line.pick(0) is None


def test_alone_on_the_site_a_user_may_take_everything_at_once():
    line = scheduler(slots=10, user_running=2, beyond_cap_share=0.5)
    for number in range(20):
        line.add(ask(f"f{number}", "flooder"), 0)
    assert sum(line.pick(0) is not None for _ in range(20)) == 10


# 6. One heavy prefill at a time.


def test_one_heavy_prefill_at_a_time():
    line = scheduler(slots=8)
    for number in range(3):
        line.add(ask(f"h{number}", f"h{number}", "heavy"), 0)
    line.add(ask("n", "n"), 0)
    assert [line.pick(0).generation, line.pick(0).generation, line.pick(0)] == ["n", "h0", None]
    line.prefilled("h0", 3_000, 0)
    assert line.pick(1).generation == "h1"


def test_a_cancelled_heavy_prefill_makes_room_for_the_next():
    line = scheduler(slots=8)
    for number in range(2):
        line.add(ask(f"h{number}", f"h{number}", "heavy"), 0)
    line.pick(0)
    line.finish("h0", 1)
    assert line.pick(1).generation == "h1"


# 7. Admission by KV tokens.


def test_no_more_is_promised_than_the_kv_budget():
    line = scheduler(slots=100, kv_tokens=10_000)
    for number in range(30):
        line.add(ask(f"n{number}", f"n{number}", prompt_tokens=900, max_tokens=100), 0)
    assert len(start_all(line, 0)) == 8
    assert line.load().kv_tokens <= line.load().kv_budget == 8_500


def test_a_large_request_past_its_deadline_is_not_overtaken_for_ever():
    line = scheduler(slots=100, kv_tokens=10_000, user_running=100)
    for number in range(8):
        line.add(ask(f"n{number}", f"n{number}", prompt_tokens=900), 0)
    start_all(line, 0)
    line.add(ask("large", "large", "heavy", prompt_tokens=8_000), 0)
    line.finish("n0", 1)
    line.add(ask("small", "small", prompt_tokens=900), 1)
    assert start_all(line, 1) == ["small"], "not yet late: small ones may pass"
    line.finish("small", 61)
    line.add(ask("another", "another", prompt_tokens=900), 61)
    assert start_all(line, 61) == [], "late: the general slots are closed"
    for number in range(1, 8):
        line.finish(f"n{number}", 62)
    assert start_all(line, 62)[0] == "large"


def test_a_quick_request_still_gets_its_reserved_slot_beside_a_large_one_that_waits():
    line = scheduler(slots=100, reserved=1, kv_tokens=10_000)
    for number in range(8):
        line.add(ask(f"n{number}", f"n{number}", prompt_tokens=900), 0)
    start_all(line, 0)
    line.add(ask("large", "large", "heavy", prompt_tokens=8_000), 0)
    line.add(ask("q", "q", "quick"), 61)
    assert line.pick(61).generation == "q"
    assert line.load().reserved == 1


def test_the_promise_follows_observed_answers():
    line = scheduler(slots=100, kv_tokens=100_000)
    for number in range(30):
        line.add(ask(f"w{number}", f"w{number}", max_tokens=5_000), 0)
        start_all(line, 0)
        answer(line, f"w{number}", 1, tokens=60)
    line.add(ask("n", "n", prompt_tokens=400, max_tokens=5_000), 2)
    line.pick(2)
    assert line.load().kv_tokens == 460
    line.prefilled("n", 400, 0)
    line.produced("n", 200, 3)
    assert line.load().kv_tokens == 600, "an answer that outgrows its promise is counted as it is"


# The orders that ours is measured against.


def test_fifo_serves_in_the_order_of_asking():
    line = Scheduler(Policy(max_running=1, reserved_slots=0), 1_000_000, Fifo)
    for number, kind in enumerate(("heavy", "normal", "quick")):
        line.add(ask(kind, kind, kind), number)
    assert [place.generation for place in line.line(3)] == ["heavy", "normal", "quick"]
    assert served(line, 3) == ["heavy", "normal", "quick"]


def test_strict_classes_let_heavy_starve():
    line = Scheduler(Policy(max_running=1, reserved_slots=0), 1_000_000, StrictClasses)
    line.add(ask("heavy", "h", "heavy"), 0)
    line.add(ask("quick", "q", "quick"), 1_000)
    line.add(ask("normal", "n", "normal"), 1_000)
    assert [place.generation for place in line.line(1_000)] == ["quick", "normal", "heavy"]
    assert served(line, 1_000) == ["quick", "normal", "heavy"]
