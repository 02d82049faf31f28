"""The scheduler as a state machine: whatever happens in whatever order, these things hold."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from inference.scheduling.policy import Policy
from inference.scheduling.scheduler import QueueFullError, Scheduler, TooLargeError
from tests.inference.asking import ask
from tests.support.waiting import PATIENCE_S

KV_TOKENS = 12_000

USERS = ("ann", "bob", "cy", "dee")

POLICY = Policy(
    max_running=4,
    reserved_slots=2,
    user_running=2,
    queue_user=8,
    queue_heavy=10,
    reserved_output_tokens=20,
    expected_output_tokens=50,
    beyond_cap_share=0.75,
)


class SchedulerMachine(RuleBasedStateMachine):
    """Keeps its own record of waiting and running requests, and compares."""

    @initialize()
    def begin(self):
        self.scheduler = Scheduler(POLICY, KV_TOKENS)
        self.now = 0.0
        self.number = 0
        self.waiting = {}
        self.running = {}
        self.kinds = {}
        self.prefilled = set()
        self.produced = {}
        self.reserved = set()
        self.gone = set()
        self.paused = False

    @rule(
        user=st.sampled_from(USERS),
        kind=st.sampled_from(["quick", "normal", "heavy"]),
        max_tokens=st.integers(1, 200),
        weight=st.sampled_from([0.5, 1.0, 3.0]),
        extra=st.sampled_from([0, 0, 0, 6_000]),
        waited_s=st.sampled_from([0.0, 0.0, 50.0]),
    )
    def add(self, user, kind, max_tokens, weight, extra, waited_s):
        request = ask(f"g{self.number}", user, kind, max_tokens=max_tokens, weight=weight, waited_s=waited_s)
        if kind == "heavy" and extra:
            request = ask(f"g{self.number}", user, kind, prompt_tokens=3_000 + extra, max_tokens=max_tokens)
        self.number += 1
        try:
            self.kinds[request.generation] = self.scheduler.add(request, self.now)
        except (QueueFullError, TooLargeError):
            return
        assert self.kinds[request.generation] == kind
        self.waiting[request.generation] = request

    @rule(seconds=st.sampled_from([0.1, 1.0, 25.0, 130.0]))
    def time_passes(self, seconds):
        self.now += seconds

    @rule(times=st.integers(1, 8))
    def start(self, times):
        for _ in range(times):
            before = self.scheduler.load()
            request = self.scheduler.schedule_next(self.now)
            if request is None:
                return
            assert not self.paused
            assert self.waiting.pop(request.generation) is request, "started without waiting, or twice"
            self.check_start(request, before)
            self.running[request.generation] = request
            self.produced[request.generation] = 0

    def check_start(self, request, before):
        kind, user = self.kinds[request.generation], request.user
        mine = [one for one in self.running.values() if one.user == user]
        if kind == "heavy":
            assert not self.heavy_prefilling(), "two heavy prefills at once"
        if self.scheduler.load().reserved > before.reserved:
            self.reserved.add(request.generation)
            aged_out = before.running[kind] == 0
            assert kind == "quick" or aged_out, "a reserved slot for one that it is not for"
            assert before.reserved < POLICY.reserved_slots
        else:
            assert sum(before.running.values()) - before.reserved < POLICY.max_running
        if len(mine) >= POLICY.user_running and kind != "heavy":
            self.check_yielding(user)

    def check_yielding(self, user):
        """Nobody within their caps waits who could have started instead."""
        for other in self.waiting.values():
            theirs = [one for one in self.running.values() if one.user == other.user]
            kind = self.kinds[other.generation]
            blocked = kind == "heavy" or len(theirs) >= POLICY.user_running
            assert other.user == user or blocked, "beyond a cap while another within theirs waits"

    @precondition(lambda self: self.running)
    @rule(data=st.data(), cached=st.integers(0, 50))
    def prefill(self, data, cached):
        name = data.draw(st.sampled_from(sorted(self.running)))
        self.scheduler.prefilled(name, self.running[name].prompt_tokens, cached)
        self.prefilled.add(name)

    @precondition(lambda self: self.prefilled & set(self.running))
    @rule(data=st.data(), tokens=st.integers(1, 30))
    def produce(self, data, tokens):
        name = data.draw(st.sampled_from(sorted(self.prefilled & set(self.running))))
        self.scheduler.produced(name, tokens, self.now)
        self.produced[name] += tokens
        if self.produced[name] >= POLICY.reserved_output_tokens:
            self.reserved.discard(name)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def finish(self, data):
        self.end(data.draw(st.sampled_from(sorted(self.running))))

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def cancel(self, data):
        self.end(data.draw(st.sampled_from(sorted(self.waiting))))

    @precondition(lambda self: set(self.running) - self.prefilled)
    @rule(data=st.data())
    def requeue(self, data):
        name = data.draw(st.sampled_from(sorted(set(self.running) - self.prefilled)))
        self.scheduler.requeue(name, self.now)
        self.waiting[name] = self.running.pop(name)
        self.reserved.discard(name)

    @rule()
    def expire(self):
        for name, _reason in self.scheduler.expired(self.now):
            assert name in self.waiting or name in self.running
            self.end(name)

    @rule()
    def pause_or_resume(self):
        if self.paused:
            self.scheduler.resume(self.now)
        else:
            self.scheduler.pause(self.now)
        self.paused = not self.paused

    def end(self, name):
        self.scheduler.finish(name, self.now)
        self.waiting.pop(name, None)
        self.running.pop(name, None)
        self.reserved.discard(name)
        self.prefilled.discard(name)
        self.gone.add(name)

    def heavy_prefilling(self):
        return [one for one in self.running if self.kinds[one] == "heavy" and one not in self.prefilled]

    @invariant()
    def records_agree(self):
        load = self.scheduler.load()
        assert sum(load.waiting.values()) == len(self.waiting)
        assert sum(load.running.values()) == len(self.running) <= POLICY.slots
        assert load.reserved == len(self.reserved) <= POLICY.reserved_slots
        assert sum(self.scheduler.waiting.of_user.values()) == len(self.waiting)
        assert sum(self.scheduler.running.of_user.values()) == len(self.running)
        assert load.kv_tokens >= 0

    @invariant()
    def everybody_who_waits_has_one_position(self):
        positions = self.scheduler.positions(self.now)
        assert [position.position for position in positions] == list(range(1, len(positions) + 1))
        assert sorted(position.generation for position in positions) == sorted(self.waiting)

    @invariant()
    def counters_are_never_negative(self):
        assert all(self.scheduler.counters.of(user) >= 0 for user in USERS)

    @invariant()
    def somebody_starts_whenever_the_engine_is_empty(self):
        if self.waiting and not self.running and not self.paused:
            self.start(1)
            assert self.running

    def teardown(self):
        """Every waiting request is served in the end, once."""
        if not hasattr(self, "scheduler"):
            return
        self.scheduler.resume(self.now)
        self.paused = False
        for name in list(self.running):
            self.end(name)
        rounds = len(self.waiting)
        for _ in range(rounds):
            self.start(100)
            for name in list(self.running):
                self.end(name)
        assert not self.waiting, "never started"
        load = self.scheduler.load()
        assert (load.kv_tokens, load.reserved, load.queued_tokens) == (0, 0, 0)


TestSchedulerMachine = SchedulerMachine.TestCase
TestSchedulerMachine.settings = settings(
    max_examples=40, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)


@pytest.mark.proof
class TestSchedulerMachineAtLength(SchedulerMachine.TestCase):
    settings = settings(
        max_examples=1_500, stateful_step_count=80, deadline=None, suppress_health_check=list(HealthCheck)
    )


PLAY = """
import random
from inference.scheduling.policy import Policy
from inference.scheduling.scheduler import Scheduler
from tests.inference.asking import ask, start_all
rng = random.Random(5)
scheduler = Scheduler(Policy(max_running=5), 50_000)
now, started, running = 0.0, [], []
for number in range(400):
    now += rng.random()
    kind = rng.choice(["quick", "normal", "heavy"])
    scheduler.add(ask(f"g{number}", f"user-{rng.randrange(30)}", kind, weight=rng.choice([1.0, 2.0])), now)
    for generation in start_all(scheduler, now):
        started.append(generation)
        running.append(generation)
        scheduler.produced(generation, rng.randrange(1, 90), now)
    if len(running) > 3:
        scheduler.finish(running.pop(rng.randrange(len(running))), now)
print(started, [position.generation for position in scheduler.positions(now)])
"""


def test_the_order_is_independent_of_hash_seeds():
    root = Path(__file__).parents[2]
    orders = {
        subprocess.run(
            [sys.executable, "-c", PLAY],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(root), "PATH": ""},
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE_S,
        ).stdout
        for seed in ("0", "1", "4242")
    }
    assert len(orders) == 1
    assert "g100" in orders.pop()
