"""People who would have the engine for themselves, and what it helps them."""

import pytest

from inference.scheduling.fair_queue import FairQueue
from inference.scheduling.policy import Policy
from inference.scheduling.request_queue import FifoQueue
from inference.scheduling.scheduler import QueueFullError, Scheduler, TooLargeError
from tests.inference.asking import answer, ask, start_all
from tests.support.loads import ClosedLoop, arrivals
from tests.support.scenarios import OPEN_DOORS, play
from tests.support.workload import draw, sized


def test_many_accounts_in_one_flood_delay_a_newcomer_by_one_request_each_at_most():
    scheduler = Scheduler(Policy(max_running=4, reserved_slots=0, **OPEN_DOORS), 1_000_000)
    for account in range(50):
        for number in range(20):
            scheduler.add(ask(f"f{account}-{number}", f"account-{account}"), 0)
    running = start_all(scheduler, 0)
    now = 0.1
    scheduler.add(ask("hers", "light"), now)
    before = 0
    while "hers" not in running:
        now += 0.1
        answer(scheduler, running.pop(0), now)
        running += start_all(scheduler, now)
        before += 1
    assert before <= 50 + 1, "one of each account, and hers"


def test_a_newcomer_stands_behind_one_request_of_each_account_whatever_their_backlog():
    scheduler = Scheduler(Policy(max_running=4, reserved_slots=0, **OPEN_DOORS), 1_000_000)
    for account in range(20):
        for number in range(10):
            scheduler.add(ask(f"f{account}-{number}", f"account-{account}"), 0)
    running, now = start_all(scheduler, 0), 0.0
    for _ in range(40):
        now += 0.1
        answer(scheduler, running.pop(0), now)
        running += start_all(scheduler, now)
    scheduler.add(ask("hers", "light"), now)
    ahead = next(position.position for position in scheduler.positions(now) if position.generation == "hers")
    assert ahead <= 21, "of 157 that wait"


def test_tiny_requests_at_the_rate_limit_do_not_delay_others():
    """Five a second from one account, answered by tiny answers, beside ordinary people."""

    def loads(pest):
        people = ClosedLoop(
            [f"user-{n}" for n in range(30)], lambda user, n: draw(3, user, n), think_s=10.0, seed=3
        )
        tiny = arrivals(
            lambda n: "pest-0", lambda user, n: sized(3, user, n, 5, 20), rate_per_s=5.0, until_s=120, seed=3
        )
        return [people, tiny] if pest else [people]

    policy = Policy(max_running=14)
    with_pest, without = (
        play(policy, FairQueue, loads(pest), until_s=120, warm_up_s=10)["users"]["user"]
        for pest in (True, False)
    )
    assert with_pest["ttft_p95_s"] <= 1.5 * without["ttft_p95_s"]
    assert with_pest["failed"] == 0


def test_huge_prompts_of_one_user_delay_the_first_words_of_others_by_little():
    def loads():
        people = ClosedLoop(
            [f"user-{n}" for n in range(20)], lambda user, n: draw(4, user, n), think_s=10.0, seed=4
        )
        huge = ClosedLoop(
            ["hog-0"], lambda user, n: sized(4, user, n, 20_000, 200), think_s=0.0, seed=4, outstanding=20
        )
        return [people, huge]

    ours, fifo = (
        play(policy, order, loads(), until_s=120, warm_up_s=20)["users"]["user"]
        for policy, order in (
            (Policy(max_running=14), FairQueue),
            (Policy(max_running=16, reserved_slots=0), FifoQueue),
        )
    )
    assert ours["ttft_p95_s"] < 1.0
    assert ours["failed"] == 0
    assert fifo["failed"] > fifo["answered"], "behind the same prompts, in the order of asking"


def test_a_prompt_beyond_the_engine_is_refused_before_it_waits():
    scheduler = Scheduler(Policy(), 10_000)
    with pytest.raises(TooLargeError):
        scheduler.add(ask("huge", "hog", "heavy", prompt_tokens=1_000_000), 0)
    assert scheduler.load().waiting["heavy"] == 0


def test_a_cancel_storm_costs_others_nothing_and_no_memory():
    scheduler = Scheduler(Policy(max_running=2, reserved_slots=0), 1_000_000)
    for name in ("r1", "r2"):
        scheduler.add(ask(name, name), 0)
    start_all(scheduler, 0)
    scheduler.add(ask("patient", "patient"), 0)
    for number in range(3_000):
        scheduler.add(ask(f"s{number}", "storm"), 0)
        scheduler.finish(f"s{number}", 0)
    held = scheduler.queue.heap_entries + scheduler.waiting.heap_entries
    assert held < 400
    scheduler.finish("r1", 1)
    assert start_all(scheduler, 1) == ["patient"]


def test_cancelling_after_the_start_does_not_undo_the_charge():
    scheduler = Scheduler(Policy(max_running=1, reserved_slots=0), 1_000_000)
    scheduler.add(ask("other", "other"), 0)
    start_all(scheduler, 0)
    scheduler.add(ask("hers", "light"), 0)
    for number in range(5):
        scheduler.add(ask(f"c{number}", "canceller", prompt_tokens=2_000), 0)
    scheduler.finish("other", 1)
    started = []
    for _ in range(3):
        request = scheduler.schedule_next(1)
        started.append(request.generation)
        scheduler.finish(request.generation, 1)
    assert started[:2] == ["hers", "c0"]
    assert scheduler.counters.of("canceller") >= 2_000


def test_all_quick_everybody_gets_their_turn():
    scheduler = Scheduler(Policy(max_running=4, **OPEN_DOORS), 1_000_000)
    for number in range(30):
        for user in range(20):
            scheduler.add(ask(f"u{user}-{number}", f"u{user}", "quick"), number * 0.01)
    order, now = [], 0.3
    while started := start_all(scheduler, now):
        order += started
        for generation in started:
            answer(scheduler, generation, now, tokens=20)
    turns = [generation.split("-")[0] for generation in order]
    assert len(order) == 600
    for start in range(0, 600, 100):
        share = [turns[start : start + 100].count(f"u{user}") for user in range(20)]
        assert max(share) - min(share) <= 4


def test_one_users_flood_meets_its_own_limit_and_leaves_the_queue_open():
    scheduler = Scheduler(Policy(), 1_000_000)
    refused = 0
    for number in range(500):
        try:
            scheduler.add(ask(f"f{number}", "flooder"), 0)
        except QueueFullError:
            refused += 1
    assert refused == 400
    scheduler.add(ask("hers", "light"), 0)
