"""Who may hold what: reserved slots, caps that yield, one heavy prefill, KV tokens; a test per rule."""

import pytest

from inference.request import ChatMessage
from tests.inference.asking import answer, ask, small_scheduler, start_all

# Reserved slots.


def test_reserved_slots_are_for_quick_requests_alone():
    line = small_scheduler(slots=2, reserved=2)
    for number in range(5):
        line.add(ask(f"n{number}", f"user-{number}"), 0)
    assert len(start_all(line, 0)) == 2
    for number in range(3):
        line.add(ask(f"q{number}", f"quick-{number}", "quick"), 1)
    assert start_all(line, 1) == ["q0", "q1"]
    assert line.load().reserved == 2


def test_one_user_holds_one_reserved_slot_at_most():
    line = small_scheduler(slots=1, reserved=2)
    line.add(ask("n", "n"), 0)
    start_all(line, 0)
    for number in range(3):
        line.add(ask(f"q{number}", "eager", "quick"), 1)
    assert start_all(line, 1) == ["q0"]
    line.add(ask("other", "other", "quick"), 2)
    assert start_all(line, 2) == ["other"]


def test_a_user_beyond_their_cap_gets_no_reserved_slot():
    line = small_scheduler(slots=2, reserved=1, user_running=1)
    line.add(ask("f", "flooder"), 0)
    line.add(ask("n", "n"), 0)
    start_all(line, 0)
    line.add(ask("f2", "flooder", "quick"), 1)
    assert line.pick(1) is None
    line.add(ask("hers", "light", "quick"), 1)
    assert line.pick(1).generation == "hers"


def test_no_more_than_r_reserved_slots_are_held_when_kv_tokens_run_out_first():
    line = small_scheduler(slots=50, reserved=2, kv_tokens=10_000)
    for number in range(8):
        line.add(ask(f"n{number}", f"n{number}", prompt_tokens=950), 0)
    start_all(line, 0)
    for number in range(4):
        line.add(ask(f"q{number}", f"q{number}", "quick", prompt_tokens=110), 1)
    assert start_all(line, 1) == ["q0", "q1"]


def test_a_long_quick_answer_gives_its_reserved_slot_back():
    line = small_scheduler(slots=1, reserved=1)
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
    line = small_scheduler(slots=1, reserved=1)
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
    line = small_scheduler(slots=4, reserved=2)
    for number in range(3):
        line.add(ask(f"n{number}", f"n{number}"), 0)
    start_all(line, 0)
    for number in range(4):
        line.add(ask(f"h{number}", f"h{number}", "heavy"), 0)
    assert start_all(line, 0) == ["h0"]
    assert start_all(line, 500) == [], "a heavy request runs, so heavy is not shut out"
    line.add(ask("q", "q", "quick"), 500)
    assert line.pick(500).generation == "q"


# Caps yield.


def test_the_cap_per_user_binds_while_somebody_else_waits():
    line = small_scheduler(slots=4, user_running=2)
    for number in range(6):
        line.add(ask(f"f{number}", "flooder"), 0)
    line.add(ask("b", "bob"), 1)
    line.add(ask("c", "carol"), 1)
    assert sorted(start_all(line, 1)) == ["b", "c", "f0", "f1"]


def test_the_cap_per_user_yields_when_nobody_else_waits():
    line = small_scheduler(slots=4, user_running=2)
    for number in range(6):
        line.add(ask(f"f{number}", "flooder"), 0)
    assert len(start_all(line, 1)) == 4


def test_the_plan_names_the_cap():
    line = small_scheduler(slots=4)
    for number in range(6):
        line.add(ask(f"f{number}", "flooder", max_running=1), 0)
    for number in range(3):
        line.add(ask(f"b{number}", f"b{number}"), 1)
    assert sorted(start_all(line, 1)) == ["b0", "b1", "b2", "f0"]


def test_one_heavy_per_user_while_others_wait():
    line = small_scheduler(slots=8)
    for number in range(3):
        line.add(ask(f"a{number}", "alice", "heavy"), 0)
    for number in range(2):
        line.add(ask(f"b{number}", f"b{number}", "heavy"), 1)
    assert [start_all(line, 2)[0:3]][0] == ["a0", "b0", "b1"]


def test_heavy_requests_hold_half_of_k_while_lighter_ones_wait():
    line = small_scheduler(slots=4)
    for number in range(4):
        line.add(ask(f"h{number}", f"h{number}", "heavy"), 0)
    for number in range(2):
        line.add(ask(f"n{number}", f"n{number}"), 200)
    assert sorted(start_all(line, 201)) == ["h0", "h1", "n0", "n1"]


def test_heavy_requests_fill_all_of_k_while_nobody_else_waits():
    line = small_scheduler(slots=4)
    for number in range(6):
        line.add(ask(f"h{number}", f"h{number}", "heavy"), 0)
    assert len(start_all(line, 1)) == 4


def test_beside_others_a_user_beyond_their_cap_leaves_slots_free():
    line = small_scheduler(slots=10, user_running=2, beyond_cap_share=0.8)
    line.add(ask("b", "bob"), 0)
    for number in range(20):
        line.add(ask(f"f{number}", "flooder"), 0)
    assert len(start_all(line, 0)) == 8
    line.add(ask("c", "carol"), 1)
    assert start_all(line, 1) == ["c"]


def test_beside_others_a_user_beyond_their_cap_adds_no_queue_of_prompts():
    line = small_scheduler(slots=10, user_running=2, beyond_cap_prefill_tokens=512)
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
    line = small_scheduler(slots=10, user_running=2, beyond_cap_share=0.5)
    for number in range(20):
        line.add(ask(f"f{number}", "flooder"), 0)
    assert sum(line.pick(0) is not None for _ in range(20)) == 10


# One heavy prefill at a time.


def test_one_heavy_prefill_at_a_time():
    line = small_scheduler(slots=8)
    for number in range(3):
        line.add(ask(f"h{number}", f"h{number}", "heavy"), 0)
    line.add(ask("n", "n"), 0)
    assert [line.pick(0).generation, line.pick(0).generation, line.pick(0)] == ["n", "h0", None]
    line.prefilled("h0", 3_000, 0)
    assert line.pick(1).generation == "h1"


def test_a_cancelled_heavy_prefill_makes_room_for_the_next():
    line = small_scheduler(slots=8)
    for number in range(2):
        line.add(ask(f"h{number}", f"h{number}", "heavy"), 0)
    line.pick(0)
    line.finish("h0", 1)
    assert line.pick(1).generation == "h1"


# Admission by KV tokens.


def test_no_more_is_promised_than_the_kv_budget():
    line = small_scheduler(slots=100, kv_tokens=10_000)
    for number in range(30):
        line.add(ask(f"n{number}", f"n{number}", prompt_tokens=900, max_tokens=100), 0)
    assert len(start_all(line, 0)) == 8
    assert line.load().kv_tokens <= line.load().kv_budget == 8_500


def test_a_large_request_past_its_deadline_is_not_overtaken_for_ever():
    line = small_scheduler(slots=100, kv_tokens=10_000, user_running=100)
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
    line = small_scheduler(slots=100, reserved=1, kv_tokens=10_000)
    for number in range(8):
        line.add(ask(f"n{number}", f"n{number}", prompt_tokens=900), 0)
    start_all(line, 0)
    line.add(ask("large", "large", "heavy", prompt_tokens=8_000), 0)
    line.add(ask("q", "q", "quick"), 61)
    assert line.pick(61).generation == "q"
    assert line.load().reserved == 1


def test_the_promise_follows_observed_answers():
    line = small_scheduler(slots=100, kv_tokens=100_000)
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


# Large requests: a prompt of more than a quarter of the KV budget.


def crowded(**settings):
    """A cache of 10,000 tokens with eight small requests in it, 5,600 of 8,500 promised."""
    line = small_scheduler(slots=100, kv_tokens=10_000, **settings)
    for number in range(8):
        line.add(ask(f"n{number}", f"n{number}", prompt_tokens=600), 0)
    assert len(start_all(line, 0)) == 8
    return line


def end_of(line, now, *generations):
    for generation in generations:
        line.finish(generation, now)


def after_others_waited(seconds):
    """A large request keeps the general slots closed from 60 s on, and somebody out for so long; both run."""
    line = crowded()
    line.add(ask("large", "large", "heavy", prompt_tokens=9_000), 0)
    assert start_all(line, 60) == [], "late: the general slots are closed"
    line.add(ask("kept out", "light"), 60)
    assert start_all(line, 60) == []
    end_of(line, 60 + seconds, *(f"n{number}" for number in range(8)))
    assert start_all(line, 60 + seconds) == ["large", "kept out"]
    return line


def test_nobody_of_its_class_waits_behind_a_large_request():
    line = crowded()
    line.add(ask("large", "large", "heavy", prompt_tokens=6_000), 0)
    line.add(ask("document", "reader", "heavy", prompt_tokens=2_100, max_tokens=10), 1)
    assert start_all(line, 1) == ["document"]


def test_beside_a_large_prompt_others_have_their_share_of_what_it_leaves():
    line = small_scheduler(slots=100, kv_tokens=10_000)
    line.add(ask("large", "large", "heavy", prompt_tokens=8_400, max_tokens=100), 0)
    assert start_all(line, 0) == ["large"]
    for number in range(4):
        line.add(ask(f"n{number}", f"n{number}", prompt_tokens=500), 0)
    assert start_all(line, 0) == ["n0", "n1"], "1,200 of the 1,500 tokens that are left, at 85 %"
    load = line.load()
    assert load.kv_tokens == 9_700 <= load.kv_budget


def test_a_users_second_large_request_does_not_keep_the_slots_closed():
    line = small_scheduler(slots=100, kv_tokens=10_000)
    line.add(ask("first", "large", "heavy", prompt_tokens=8_000), 0)
    start_all(line, 0)
    line.add(ask("second", "large", "heavy", prompt_tokens=8_000), 0)
    line.add(ask("hers", "light"), 200)
    assert start_all(line, 200) == ["hers"]


def test_large_requests_make_others_wait_for_a_twentieth_of_the_time():
    line = after_others_waited(4)
    line.add(ask("again", "large", "heavy", prompt_tokens=9_000), 65)
    end_of(line, 66, "large")
    assert start_all(line, 66 + 19 * 4 - 3) == [], "others waited for four seconds"
    assert start_all(line, 66 + 19 * 4) == ["again"]


def test_who_waits_with_a_large_request_is_told_of_the_pause():
    line = after_others_waited(4)
    for second in range(65, 70):
        line.produced("kept out", 10, second)
    end_of(line, 70, "large")
    line.add(ask("again", "large", "heavy", prompt_tokens=9_000), 70)
    assert start_all(line, 70) == []
    (place,) = line.line(70)
    assert place.eta_s == pytest.approx(19 * 4 - 6, abs=1)


def test_a_large_request_has_the_time_of_a_heavy_one_whatever_its_class():
    line = small_scheduler(slots=1, kv_tokens=10_000)
    prompt = (ChatMessage("user", "a long story"),)
    line.add(ask("first", "reader", prompt_tokens=9_000, messages=prompt, conversation="long"), 0)
    start_all(line, 0)
    line.produced("first", 1, 0)
    line.finish("first", 0)
    line.add(ask("n2", "n"), 0)
    start_all(line, 0)
    line.produced("n2", 1, 0)
    again = ask("again", "reader", "quick", prompt_tokens=9_000, messages=prompt, conversation="long")
    assert line.add(again, 0) == "quick", "its prompt is cached"
    assert ("again", "queue") not in line.expired(1_799)
    assert ("again", "queue") in line.expired(1_801)


def test_what_is_waited_for_an_engine_is_no_large_requests_debt():
    line = crowded()
    line.add(ask("large", "large", "heavy", prompt_tokens=9_000), 0)
    line.add(ask("kept out", "light"), 60)
    assert start_all(line, 60) == []
    line.pause(61)
    line.resume(161)
    end_of(line, 161, *(f"n{number}" for number in range(8)))
    assert "large" in start_all(line, 161)
    line.add(ask("again", "large", "heavy", prompt_tokens=9_000), 161)
    end_of(line, 161, "large")
    assert start_all(line, 161 + 20) == ["again"], "one second was owed, not a hundred"


def test_alone_a_user_owes_nobody():
    line = after_others_waited(15)
    end_of(line, 76, "large", "kept out")
    line.add(ask("again", "large", "heavy", prompt_tokens=9_000), 76)
    assert start_all(line, 76) == ["again"]


def test_a_large_request_takes_no_reserved_slot():
    line = small_scheduler(slots=1, reserved=1, kv_tokens=10_000)
    line.add(ask("n", "n"), 0)
    start_all(line, 0)
    line.add(ask("long", "reader", prompt_tokens=3_000), 0)
    assert line.pick(200) is None
    line.add(ask("q", "q", "quick"), 200)
    assert line.pick(200).generation == "q"


def test_reserved_promises_stay_within_their_own_part_of_the_cache():
    """What they held of the general part, a request of the cache's size would wait for, for ever."""
    line = small_scheduler(slots=1, reserved=2, kv_tokens=10_000)
    line.add(ask("n", "n"), 0)
    start_all(line, 0)
    for number in range(2):
        line.add(ask(f"q{number}", f"q{number}", "quick", prompt_tokens=500), 0)
    assert start_all(line, 0) == ["q0"], "600 of 1,000 tokens"
