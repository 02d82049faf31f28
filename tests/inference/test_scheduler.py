"""The scheduler's interface: arrivals, refusals, departures, deadlines, places, load."""

import pytest

from inference.request import ChatMessage
from inference.scheduling.errors import DuplicateError, QueueFullError, TooLargeError
from inference.scheduling.policy import Policy
from inference.scheduling.scheduler import LONGEST_RETRY_S, Scheduler
from tests.inference.asking import answer, ask, start_all


def scheduler(slots=2, kv_tokens=100_000, reserved=0, **settings):
    return Scheduler(Policy(max_running=slots, reserved_slots=reserved, **settings), kv_tokens)


# Arrivals and refusals.


def test_add_says_the_class():
    line = scheduler()
    assert [line.add(ask(kind, kind, kind), 0) for kind in ("quick", "normal", "heavy")] == [
        "quick",
        "normal",
        "heavy",
    ]


def test_a_continued_conversation_is_classed_by_what_is_not_cached():
    line = scheduler()
    hello = (ChatMessage("user", "x" * 9_000),)
    line.add(ask("1", kind="heavy", conversation="c", messages=hello), 0)
    start_all(line, 0)
    answer(line, "1", 1)
    more = (*hello, ChatMessage("assistant", "y"), ChatMessage("user", "and?"))
    assert (
        line.add(ask("2", kind="quick", prompt_tokens=3_100, conversation="c", messages=more), 2) == "quick"
    )


@pytest.mark.parametrize("state", ["waiting", "running"])
def test_the_same_generation_is_refused_twice(state):
    line = scheduler()
    line.add(ask("a"), 0)
    if state == "running":
        line.pick(0)
    with pytest.raises(DuplicateError, match="generation a"):
        line.add(ask("a"), 1)
    assert line.load().waiting["normal"] + line.load().running["normal"] == 1


def test_what_cannot_fit_an_empty_engine_is_refused():
    line = scheduler(kv_tokens=10_000)
    with pytest.raises(TooLargeError, match=r"9950 .* 100 .* 10000"):
        line.add(ask("a", kind="heavy", prompt_tokens=9_950), 0)
    line.add(ask("b", kind="heavy", prompt_tokens=9_900), 0)
    assert line.pick(0).generation == "b", "the largest that fits is served, alone"


def test_a_full_class_refuses_everybody_but_no_other_class():
    line = scheduler(queue_normal=3)
    for number in range(3):
        line.add(ask(f"n{number}", f"u{number}"), 0)
    with pytest.raises(QueueFullError, match="3 normal requests are waiting") as refusal:
        line.add(ask("n3", "u3"), 0)
    assert refusal.value.retry_after_s > 0
    line.add(ask("q", "u3", "quick"), 0)


def test_a_full_user_is_refused_alone():
    line = scheduler(queue_user=2)
    for number in range(2):
        line.add(ask(f"a{number}", "alice"), 0)
    with pytest.raises(QueueFullError, match="of this user's requests"):
        line.add(ask("a2", "alice", "quick"), 0)
    line.add(ask("b", "bob"), 0)


def test_retry_after_is_the_tokens_in_line_by_the_measured_rate():
    line = scheduler(slots=1)
    line.add(ask("first", "u", prompt_tokens=400), 0)
    start_all(line, 0)
    for second in range(1, 101):
        line.produced("first", 100, second)
    for number in range(4):
        line.add(ask(f"n{number}", f"u{number}", prompt_tokens=1_000), 100)
    queued = line.load().queued_tokens
    assert line.retry_after_s(100) == pytest.approx(queued / 100, rel=0.1)


def test_retry_after_is_never_absurd():
    line = scheduler(queue_user=1_000)
    assert 0 < line.retry_after_s(0) < 60, "before any measurement"
    line.add(ask("first"), 0)
    start_all(line, 0)
    line.produced("first", 1, 0)
    line.produced("first", 1, 10)
    for number in range(900):
        line.add(ask(f"n{number}", kind="heavy"), 10)
    assert line.retry_after_s(10) == LONGEST_RETRY_S


# Departures.


def test_finish_frees_the_slot():
    line = scheduler(slots=1)
    line.add(ask("a", "alice"), 0)
    line.add(ask("b", "bob"), 0)
    assert start_all(line, 0) == ["a"]
    line.finish("a", 1)
    assert start_all(line, 1) == ["b"]


def test_a_cancelled_request_leaves_the_line():
    line = scheduler(slots=1)
    for name in "abc":
        line.add(ask(name, name), 0)
    start_all(line, 0)
    line.finish("b", 1)
    assert [place.generation for place in line.line(1)] == ["c"]


def test_finishing_twice_or_the_unknown_changes_nothing():
    line = scheduler()
    line.add(ask("a"), 0)
    line.pick(0)
    for _ in range(2):
        line.finish("a", 1)
        line.finish("never seen", 1)
        line.produced("a", 5, 1)
        line.prefilled("a", 10, 0)
        line.requeue("a", 1)
    load = line.load()
    assert (sum(load.waiting.values()), sum(load.running.values()), load.kv_tokens) == (0, 0, 0)


def test_an_engine_that_tells_of_its_cache_at_the_end_corrects_the_charge_then():
    line = scheduler()
    line.add(ask("a", "alice", prompt_tokens=1_000), 0)
    line.pick(0)
    line.prefilled("a", 1_000, None)
    assert line.counters.of("alice") == 1_000, "as provisional as before"
    line.cached("a", 900)
    line.cached("a", 0)
    assert line.counters.of("alice") == 100


def test_requeue_goes_back_to_the_old_place_with_the_charge_undone():
    line = scheduler(slots=1)
    line.add(ask("a", "alice"), 0)
    line.add(ask("b", "bob"), 1)
    line.add(ask("a2", "alice"), 2)
    assert line.pick(2).generation == "a"
    line.requeue("a", 3)
    assert line.counters.of("alice") == 0
    assert line.load().running["normal"] == 0
    assert [place.generation for place in line.line(3)] == ["a", "b", "a2"]
    assert line.pick(3).generation == "a"


def test_a_requeued_heavy_request_lets_the_next_prefill_begin():
    line = scheduler(slots=4)
    line.add(ask("h", "h", "heavy"), 0)
    line.pick(0)
    line.requeue("h", 0)
    assert line.pick(1).generation == "h"


# Deadlines.


def test_the_queue_deadline():
    line = scheduler(slots=1)
    for name, kind in (("runs", "normal"), ("waits", "normal"), ("document", "heavy")):
        line.add(ask(name, name, kind), 0)
    start_all(line, 0)
    line.produced("runs", 1, 29)
    assert line.expired(29.9) == []
    assert line.expired(30) == [("waits", "queue")]
    assert line.expired(31) == [("waits", "queue")], "told until it is finished"
    line.finish("waits", 31)
    assert line.expired(32) == []
    line.produced("runs", 1, 590)
    assert ("document", "queue") in line.expired(1_800)


def test_the_first_token_deadline_counts_from_the_asking():
    line = scheduler()
    line.add(ask("a"), 0)
    line.pick(20)
    assert line.expired(29.9) == []
    assert line.expired(30) == [("a", "first_token")]


def test_the_stall_deadline_counts_from_the_last_token():
    line = scheduler()
    line.add(ask("a"), 0)
    start_all(line, 0)
    line.produced("a", 1, 10)
    assert line.expired(39.9) == []
    assert line.expired(40) == [("a", "stall")]


def test_the_total_deadline_counts_from_the_start():
    line = scheduler()
    line.add(ask("a", max_tokens=10_000), 0)
    start_all(line, 5)
    for second in range(5, 606, 5):
        line.produced("a", 1, second)
    assert line.expired(604.9) == []
    assert line.expired(605) == [("a", "total")]


def test_time_waited_before_this_process_met_it_uses_up_no_deadline():
    line = scheduler(slots=1)
    line.add(ask("a", waited_s=300), 1_000)
    assert line.expired(1_029) == []
    assert line.expired(1_030) == [("a", "queue")]


def test_no_deadline_of_the_line_runs_while_no_engine_serves():
    line = scheduler()
    line.add(ask("a"), 0)
    line.pause(10)
    assert line.pick(10) is None
    assert line.expired(500) == []
    line.resume(500)
    assert line.expired(519) == []
    assert line.expired(520) == [("a", "queue")]
    assert line.pick(519).generation == "a"


# Places, load, priority.


def test_places_count_from_one_in_the_order_of_service():
    line = scheduler(slots=1)
    line.add(ask("runs", "z"), 0)
    start_all(line, 0)
    line.add(ask("document", "d", "heavy"), 0)
    line.add(ask("a1", "alice"), 0)
    line.add(ask("a2", "alice"), 0)
    line.add(ask("b1", "bob"), 1)
    line.add(ask("q", "carol", "quick"), 2)
    places = line.line(2)
    assert [(place.position, place.generation) for place in places] == [
        (1, "q"),
        (2, "a1"),
        (3, "b1"),
        (4, "a2"),
        (5, "document"),
    ]
    assert (places[0].kind, places[0].user, places[0].eta_s) == ("quick", "carol", None)


def test_the_line_is_the_order_in_which_requests_start():
    line = scheduler(slots=1, user_running=50, heavy_slack=0.0, normal_slack=0.0, quick_slack=0.0)
    for number in range(40):
        kind = ("quick", "normal", "heavy")[number % 3]
        line.add(ask(f"g{number}", f"u{number * 7 % 5}", kind, max_tokens=10), number * 0.3)
    foretold = [place.generation for place in line.line(12)]
    started = []
    while foretold and (request := line.pick(12)):
        started.append(request.generation)
        line.prefilled(request.generation, request.prompt_tokens, 0)
        line.finish(request.generation, 12)
    assert set(started) == set(foretold)
    moved = [abs(foretold.index(generation) - place) for place, generation in enumerate(started)]
    assert sorted(moved)[len(moved) // 2] <= 4


def test_load_counts_by_class_and_by_user():
    line = scheduler(slots=2)
    line.add(ask("h", "alice", "heavy"), 0)
    line.add(ask("n", "alice"), 0)
    line.add(ask("q", "bob", "quick"), 0)
    start_all(line, 0)
    load = line.load()
    assert load.waiting == {"quick": 0, "normal": 0, "heavy": 1}
    assert load.running == {"quick": 1, "normal": 1, "heavy": 0}
    assert load.waiting_by_user == {"alice": 1}
    assert load.running_by_user == {"bob": 1, "alice": 1}
    assert load.kv_tokens == 400 + 100 + 50 + 100
    assert load.slots == 2


def test_priority_is_in_deadline_order():
    line = scheduler()
    line.add(ask("document", "d", "heavy"), 0)
    line.add(ask("normal", "n"), 5)
    line.add(ask("quick", "q", "quick"), 10)
    priorities = [line.priority_of(name) for name in ("quick", "normal", "document")]
    assert priorities == [11_000, 15_000, 60_000]
    line.pick(10)
    assert line.priority_of("quick") == 11_000, "the same once it runs"
    assert line.priority_of("unknown") == 0
