"""Who may hold what: reserved slots, caps that yield, one heavy prefill, KV tokens; a test per rule."""

import pytest

from inference.request import ChatMessage
from tests.inference.asking import answer, ask, small_scheduler, start_all

# Reserved slots.


def test_reserved_slots_are_for_quick_requests_alone():
    scheduler = small_scheduler(slots=2, reserved=2)
    for number in range(5):
        scheduler.add(ask(f"n{number}", f"user-{number}"), 0)
    assert len(start_all(scheduler, 0)) == 2
    for number in range(3):
        scheduler.add(ask(f"q{number}", f"quick-{number}", "quick"), 1)
    assert start_all(scheduler, 1) == ["q0", "q1"]
    assert scheduler.load().reserved == 2


def test_one_user_holds_one_reserved_slot_at_most():
    scheduler = small_scheduler(slots=1, reserved=2)
    scheduler.add(ask("n", "n"), 0)
    start_all(scheduler, 0)
    for number in range(3):
        scheduler.add(ask(f"q{number}", "eager", "quick"), 1)
    assert start_all(scheduler, 1) == ["q0"]
    scheduler.add(ask("other", "other", "quick"), 2)
    assert start_all(scheduler, 2) == ["other"]


def test_a_user_beyond_their_cap_gets_no_reserved_slot():
    scheduler = small_scheduler(slots=2, reserved=1, user_running=1)
    scheduler.add(ask("f", "flooder"), 0)
    scheduler.add(ask("n", "n"), 0)
    start_all(scheduler, 0)
    scheduler.add(ask("f2", "flooder", "quick"), 1)
    assert scheduler.schedule_next(1) is None
    scheduler.add(ask("hers", "light", "quick"), 1)
    assert scheduler.schedule_next(1).generation == "hers"


def test_no_more_than_r_reserved_slots_are_held_when_kv_tokens_run_out_first():
    scheduler = small_scheduler(slots=50, reserved=2, kv_tokens=10_000)
    for number in range(8):
        scheduler.add(ask(f"n{number}", f"n{number}", prompt_tokens=950), 0)
    start_all(scheduler, 0)
    for number in range(4):
        scheduler.add(ask(f"q{number}", f"q{number}", "quick", prompt_tokens=110), 1)
    assert start_all(scheduler, 1) == ["q0", "q1"]


def test_a_long_quick_answer_gives_its_reserved_slot_back():
    scheduler = small_scheduler(slots=1, reserved=1)
    scheduler.add(ask("n", "n"), 0)
    start_all(scheduler, 0)
    scheduler.add(ask("q", "q", "quick", max_tokens=2_000), 0)
    start_all(scheduler, 0)
    assert scheduler.load().reserved == 1
    scheduler.add(ask("late", "late", "quick"), 1)
    scheduler.produced("q", 511, 1)
    assert scheduler.load().reserved == 1
    scheduler.produced("q", 1, 1)
    assert scheduler.load().reserved == 0
    assert scheduler.schedule_next(1) is None, "both slots of the engine are still held"
    scheduler.finish("n", 1)
    assert scheduler.schedule_next(1).generation == "late"


def test_an_aged_request_may_use_a_reserved_slot_while_its_class_runs_nothing():
    scheduler = small_scheduler(slots=1, reserved=1)
    scheduler.add(ask("q", "q", "quick"), 0)
    start_all(scheduler, 0)
    scheduler.add(ask("h", "h", "heavy"), 0)
    assert scheduler.schedule_next(119) is None
    assert scheduler.schedule_next(121).generation == "h"
    scheduler.add(ask("h2", "h2", "heavy", waited_s=200), 121)
    scheduler.prefilled("h", 3_000, 0)
    scheduler.finish("q", 122)
    assert scheduler.schedule_next(122).generation == "h2", "general slot"


def test_aged_requests_do_not_take_the_reserve_from_quick_ones_for_good():
    scheduler = small_scheduler(slots=4, reserved=2)
    for number in range(3):
        scheduler.add(ask(f"n{number}", f"n{number}"), 0)
    start_all(scheduler, 0)
    for number in range(4):
        scheduler.add(ask(f"h{number}", f"h{number}", "heavy"), 0)
    assert start_all(scheduler, 0) == ["h0"]
    assert start_all(scheduler, 500) == [], "a heavy request runs, so heavy is not shut out"
    scheduler.add(ask("q", "q", "quick"), 500)
    assert scheduler.schedule_next(500).generation == "q"


# Caps yield.


def test_the_cap_per_user_binds_while_somebody_else_waits():
    scheduler = small_scheduler(slots=4, user_running=2)
    for number in range(6):
        scheduler.add(ask(f"f{number}", "flooder"), 0)
    scheduler.add(ask("b", "bob"), 1)
    scheduler.add(ask("c", "carol"), 1)
    assert sorted(start_all(scheduler, 1)) == ["b", "c", "f0", "f1"]


def test_the_cap_per_user_yields_when_nobody_else_waits():
    scheduler = small_scheduler(slots=4, user_running=2)
    for number in range(6):
        scheduler.add(ask(f"f{number}", "flooder"), 0)
    assert len(start_all(scheduler, 1)) == 4


def test_the_plan_names_the_cap():
    scheduler = small_scheduler(slots=4)
    for number in range(6):
        scheduler.add(ask(f"f{number}", "flooder", max_running=1), 0)
    for number in range(3):
        scheduler.add(ask(f"b{number}", f"b{number}"), 1)
    assert sorted(start_all(scheduler, 1)) == ["b0", "b1", "b2", "f0"]


def test_one_heavy_per_user_while_others_wait():
    scheduler = small_scheduler(slots=8)
    for number in range(3):
        scheduler.add(ask(f"a{number}", "alice", "heavy"), 0)
    for number in range(2):
        scheduler.add(ask(f"b{number}", f"b{number}", "heavy"), 1)
    assert [start_all(scheduler, 2)[0:3]][0] == ["a0", "b0", "b1"]


def test_heavy_requests_hold_half_of_k_while_lighter_ones_wait():
    scheduler = small_scheduler(slots=4)
    for number in range(4):
        scheduler.add(ask(f"h{number}", f"h{number}", "heavy"), 0)
    for number in range(2):
        scheduler.add(ask(f"n{number}", f"n{number}"), 200)
    assert sorted(start_all(scheduler, 201)) == ["h0", "h1", "n0", "n1"]


def test_heavy_requests_fill_all_of_k_while_nobody_else_waits():
    scheduler = small_scheduler(slots=4)
    for number in range(6):
        scheduler.add(ask(f"h{number}", f"h{number}", "heavy"), 0)
    assert len(start_all(scheduler, 1)) == 4


def test_beside_others_a_user_beyond_their_cap_leaves_slots_free():
    scheduler = small_scheduler(slots=10, user_running=2, beyond_cap_share=0.8)
    scheduler.add(ask("b", "bob"), 0)
    for number in range(20):
        scheduler.add(ask(f"f{number}", "flooder"), 0)
    assert len(start_all(scheduler, 0)) == 8
    scheduler.add(ask("c", "carol"), 1)
    assert start_all(scheduler, 1) == ["c"]


def test_beside_others_a_user_beyond_their_cap_adds_no_queue_of_prompts():
    scheduler = small_scheduler(slots=10, user_running=2, beyond_cap_prefill_tokens=512)
    scheduler.add(ask("b", "bob"), 0)
    for number in range(6):
        scheduler.add(ask(f"f{number}", "flooder"), 0)
    started = [scheduler.schedule_next(0) for _ in range(3)]
    assert all(started), "within caps, prompts may prefill together"
    assert scheduler.schedule_next(0) is None
    for request in started:
        scheduler.prefilled(request.generation, 400, 0)
    assert scheduler.schedule_next(0).user == "flooder"
    assert scheduler.schedule_next(0) is None


def test_alone_on_the_site_a_user_may_take_everything_at_once():
    scheduler = small_scheduler(slots=10, user_running=2, beyond_cap_share=0.5)
    for number in range(20):
        scheduler.add(ask(f"f{number}", "flooder"), 0)
    assert sum(scheduler.schedule_next(0) is not None for _ in range(20)) == 10


# One heavy prefill at a time.


def test_one_heavy_prefill_at_a_time():
    scheduler = small_scheduler(slots=8)
    for number in range(3):
        scheduler.add(ask(f"h{number}", f"h{number}", "heavy"), 0)
    scheduler.add(ask("n", "n"), 0)
    assert [
        scheduler.schedule_next(0).generation,
        scheduler.schedule_next(0).generation,
        scheduler.schedule_next(0),
    ] == ["n", "h0", None]
    scheduler.prefilled("h0", 3_000, 0)
    assert scheduler.schedule_next(1).generation == "h1"


def test_a_cancelled_heavy_prefill_makes_room_for_the_next():
    scheduler = small_scheduler(slots=8)
    for number in range(2):
        scheduler.add(ask(f"h{number}", f"h{number}", "heavy"), 0)
    scheduler.schedule_next(0)
    scheduler.finish("h0", 1)
    assert scheduler.schedule_next(1).generation == "h1"


# Admission by KV tokens.


def test_no_more_is_promised_than_the_kv_budget():
    scheduler = small_scheduler(slots=100, kv_tokens=10_000)
    for number in range(30):
        scheduler.add(ask(f"n{number}", f"n{number}", prompt_tokens=900, max_tokens=100), 0)
    assert len(start_all(scheduler, 0)) == 8
    assert scheduler.load().kv_tokens <= scheduler.load().kv_budget == 8_500


def test_a_large_request_past_its_deadline_is_not_overtaken_for_ever():
    scheduler = small_scheduler(slots=100, kv_tokens=10_000, user_running=100)
    for number in range(8):
        scheduler.add(ask(f"n{number}", f"n{number}", prompt_tokens=900), 0)
    start_all(scheduler, 0)
    scheduler.add(ask("large", "large", "heavy", prompt_tokens=8_000), 0)
    scheduler.finish("n0", 1)
    scheduler.add(ask("small", "small", prompt_tokens=900), 1)
    assert start_all(scheduler, 1) == ["small"], "not yet late: small ones may pass"
    scheduler.finish("small", 61)
    scheduler.add(ask("another", "another", prompt_tokens=900), 61)
    assert start_all(scheduler, 61) == [], "late: the general slots are closed"
    for number in range(1, 8):
        scheduler.finish(f"n{number}", 62)
    assert start_all(scheduler, 62)[0] == "large"


def test_a_quick_request_still_gets_its_reserved_slot_beside_a_large_one_that_waits():
    scheduler = small_scheduler(slots=100, reserved=1, kv_tokens=10_000)
    for number in range(8):
        scheduler.add(ask(f"n{number}", f"n{number}", prompt_tokens=900), 0)
    start_all(scheduler, 0)
    scheduler.add(ask("large", "large", "heavy", prompt_tokens=8_000), 0)
    scheduler.add(ask("q", "q", "quick"), 61)
    assert scheduler.schedule_next(61).generation == "q"
    assert scheduler.load().reserved == 1


def test_the_promise_follows_observed_answers():
    scheduler = small_scheduler(slots=100, kv_tokens=100_000)
    for number in range(30):
        scheduler.add(ask(f"w{number}", f"w{number}", max_tokens=5_000), 0)
        start_all(scheduler, 0)
        answer(scheduler, f"w{number}", 1, tokens=60)
    scheduler.add(ask("n", "n", prompt_tokens=400, max_tokens=5_000), 2)
    scheduler.schedule_next(2)
    assert scheduler.load().kv_tokens == 460
    scheduler.prefilled("n", 400, 0)
    scheduler.produced("n", 200, 3)
    assert scheduler.load().kv_tokens == 600, "an answer that outgrows its promise is counted as it is"


# Large requests: a prompt of more than a quarter of the KV budget.


def crowded(**settings):
    """A cache of 10,000 tokens with eight small requests in it, 5,600 of 8,500 promised."""
    scheduler = small_scheduler(slots=100, kv_tokens=10_000, **settings)
    for number in range(8):
        scheduler.add(ask(f"n{number}", f"n{number}", prompt_tokens=600), 0)
    assert len(start_all(scheduler, 0)) == 8
    return scheduler


def end_of(scheduler, now, *generations):
    for generation in generations:
        scheduler.finish(generation, now)


def after_others_waited(seconds):
    """A large request keeps the general slots closed from 60 s on, and somebody out for so long; both run."""
    scheduler = crowded()
    scheduler.add(ask("large", "large", "heavy", prompt_tokens=9_000), 0)
    assert start_all(scheduler, 60) == [], "late: the general slots are closed"
    scheduler.add(ask("kept out", "light"), 60)
    assert start_all(scheduler, 60) == []
    end_of(scheduler, 60 + seconds, *(f"n{number}" for number in range(8)))
    assert start_all(scheduler, 60 + seconds) == ["large", "kept out"]
    return scheduler


def test_nobody_of_its_class_waits_behind_a_large_request():
    scheduler = crowded()
    scheduler.add(ask("large", "large", "heavy", prompt_tokens=6_000), 0)
    scheduler.add(ask("document", "reader", "heavy", prompt_tokens=2_100, max_tokens=10), 1)
    assert start_all(scheduler, 1) == ["document"]


def test_beside_a_large_prompt_others_have_their_share_of_what_it_leaves():
    scheduler = small_scheduler(slots=100, kv_tokens=10_000)
    scheduler.add(ask("large", "large", "heavy", prompt_tokens=8_400, max_tokens=100), 0)
    assert start_all(scheduler, 0) == ["large"]
    for number in range(4):
        scheduler.add(ask(f"n{number}", f"n{number}", prompt_tokens=500), 0)
    assert start_all(scheduler, 0) == ["n0", "n1"], "1,200 of the 1,500 tokens that are left, at 85 %"
    load = scheduler.load()
    assert load.kv_tokens == 9_700 <= load.kv_budget


def test_a_users_second_large_request_does_not_keep_the_slots_closed():
    scheduler = small_scheduler(slots=100, kv_tokens=10_000)
    scheduler.add(ask("first", "large", "heavy", prompt_tokens=8_000), 0)
    start_all(scheduler, 0)
    scheduler.add(ask("second", "large", "heavy", prompt_tokens=8_000), 0)
    scheduler.add(ask("hers", "light"), 200)
    assert start_all(scheduler, 200) == ["hers"]


def test_large_requests_make_others_wait_for_a_twentieth_of_the_time():
    scheduler = after_others_waited(4)
    scheduler.add(ask("again", "large", "heavy", prompt_tokens=9_000), 65)
    end_of(scheduler, 66, "large")
    assert start_all(scheduler, 66 + 19 * 4 - 3) == [], "others waited for four seconds"
    assert start_all(scheduler, 66 + 19 * 4) == ["again"]


def test_who_waits_with_a_large_request_is_told_of_the_pause():
    scheduler = after_others_waited(4)
    for second in range(65, 70):
        scheduler.produced("kept out", 10, second)
    end_of(scheduler, 70, "large")
    scheduler.add(ask("again", "large", "heavy", prompt_tokens=9_000), 70)
    assert start_all(scheduler, 70) == []
    (position,) = scheduler.positions(70)
    assert position.eta_s == pytest.approx(19 * 4 - 6, abs=1)


def test_a_large_request_has_the_time_of_a_heavy_one_whatever_its_class():
    scheduler = small_scheduler(slots=1, kv_tokens=10_000)
    prompt = (ChatMessage("user", "a long story"),)
    scheduler.add(ask("first", "reader", prompt_tokens=9_000, messages=prompt, conversation="long"), 0)
    start_all(scheduler, 0)
    scheduler.produced("first", 1, 0)
    scheduler.finish("first", 0)
    scheduler.add(ask("n2", "n"), 0)
    start_all(scheduler, 0)
    scheduler.produced("n2", 1, 0)
    again = ask("again", "reader", "quick", prompt_tokens=9_000, messages=prompt, conversation="long")
    assert scheduler.add(again, 0) == "quick", "its prompt is cached"
    assert ("again", "queue") not in scheduler.expired(1_799)
    assert ("again", "queue") in scheduler.expired(1_801)


def test_what_is_waited_for_an_engine_is_no_large_requests_debt():
    scheduler = crowded()
    scheduler.add(ask("large", "large", "heavy", prompt_tokens=9_000), 0)
    scheduler.add(ask("kept out", "light"), 60)
    assert start_all(scheduler, 60) == []
    scheduler.pause(61)
    scheduler.resume(161)
    end_of(scheduler, 161, *(f"n{number}" for number in range(8)))
    assert "large" in start_all(scheduler, 161)
    scheduler.add(ask("again", "large", "heavy", prompt_tokens=9_000), 161)
    end_of(scheduler, 161, "large")
    assert start_all(scheduler, 161 + 20) == ["again"], "one second was owed, not a hundred"


def test_alone_a_user_owes_nobody():
    scheduler = after_others_waited(15)
    end_of(scheduler, 76, "large", "kept out")
    scheduler.add(ask("again", "large", "heavy", prompt_tokens=9_000), 76)
    assert start_all(scheduler, 76) == ["again"]


def test_a_large_request_takes_no_reserved_slot():
    scheduler = small_scheduler(slots=1, reserved=1, kv_tokens=10_000)
    scheduler.add(ask("n", "n"), 0)
    start_all(scheduler, 0)
    scheduler.add(ask("long", "reader", prompt_tokens=3_000), 0)
    assert scheduler.schedule_next(200) is None
    scheduler.add(ask("q", "q", "quick"), 200)
    assert scheduler.schedule_next(200).generation == "q"


def test_reserved_promises_stay_within_their_own_part_of_the_cache():
    """What they held of the general part, a request of the cache's size would wait for, for ever."""
    scheduler = small_scheduler(slots=1, reserved=2, kv_tokens=10_000)
    scheduler.add(ask("n", "n"), 0)
    start_all(scheduler, 0)
    for number in range(2):
        scheduler.add(ask(f"q{number}", f"q{number}", "quick", prompt_tokens=500), 0)
    assert start_all(scheduler, 0) == ["q0"], "600 of 1,000 tokens"
