"""Who computes next: the scheduler that the dispatcher asks. Pure: no I/O, the clock is an argument.

Life of a request: `add` → waiting → `pick` → running → `prefilled` → `produced`… → `finish`. The
scheduler owns the rules and their bookkeeping; the order of the line is behind `Order`, so that a
benchmark can replace it alone. Every `now` is seconds of one monotonic clock and never falls.
"""

from __future__ import annotations

from typing import Literal

from inference.request import Request, RequestClass
from inference.scheduling.classify import classify
from inference.scheduling.counters import Counters
from inference.scheduling.errors import DuplicateError, QueueFullError, TooLargeError
from inference.scheduling.estimate import Estimate
from inference.scheduling.fair_queue import FairQueue
from inference.scheduling.load import Load, Place
from inference.scheduling.order import MakeOrder
from inference.scheduling.output_lengths import OutputLengths
from inference.scheduling.policy import CLASSES, Policy
from inference.scheduling.prefix_memory import PrefixMemory
from inference.scheduling.running import Run, Running
from inference.scheduling.service_clock import ServiceClock
from inference.scheduling.token_rate import TokenRate
from inference.scheduling.waiting import Waiting
from inference.scheduling.waiting_set import WaitingSet

Expiry = Literal["queue", "first_token", "stall", "total"]
"""Which deadline passed: waiting for a slot, for the first token, between tokens, for the whole answer."""

UNKNOWN_RETRY_S = 5.0
"""Retry-After before any rate was measured: an engine that just started answers within seconds."""

LONGEST_RETRY_S = 600.0
"""Nobody plans further ahead than ten minutes on a forecast from a queue."""


class Scheduler:
    """The policy at work. `kv_tokens` is the size of the engine's KV cache.

    `make_order` replaces the order alone: `FairQueue` is ours; `Fifo` and `StrictClasses` are what it is
    measured against.
    """

    def __init__(self, policy: Policy, kv_tokens: int, make_order: MakeOrder = FairQueue) -> None:
        self.policy = policy
        self.counters = Counters()
        self._kv_tokens = kv_tokens
        self._waiting = WaitingSet()
        self._lengths = OutputLengths(policy)
        self._running = Running(policy, kv_tokens, self._lengths)
        self._order = make_order(policy, self._running, self.counters)
        self._prefixes = PrefixMemory(kv_tokens)
        self._rate = TokenRate()
        self._estimate = Estimate(policy, self._running, self._lengths, self._rate)
        self._clock = ServiceClock()
        self._seq = 0

    def add(self, request: Request, now: float) -> RequestClass:
        """Put a request in line. Raises QueueFullError, TooLargeError, DuplicateError."""
        cached = self._prefixes.expected(request)
        kind = classify(request, cached, self.policy)
        self._check(request, kind, now)
        tau = self.policy.deadline_s(kind)
        enqueued = now - request.waited_s
        self._seq += 1
        large = request.prompt_tokens > self._running.large_from
        patience_s = self.policy.first_token_s("heavy" if large else kind)
        waiting = Waiting(
            request=request,
            kind=kind,
            seq=self._seq,
            enqueued=enqueued,
            deadline=enqueued + tau,
            ageing=enqueued + self.policy.ageing_factor * tau,
            expires=self._clock.at(now) + patience_s,
            uncached_tokens=request.prompt_tokens - cached,
            large=large,
            level=self.counters.floor,
        )
        self._put(waiting)
        return kind

    def pick(self, now: float) -> Request | None:
        """The request to start now, moved to running; call until None."""
        if self._clock.paused:
            return None
        found = self._order.next(now)
        if found is None:
            return None
        waiting, verdict = found
        request = waiting.request
        self._take(request.generation, now)
        cost = self.policy.prompt_cost * waiting.uncached_tokens / request.weight
        self.counters.charge(request.user, cost)
        self._running.start(waiting, now, verdict, cost)
        self._order.touch(request.user)
        self._estimate.started(waiting, now)
        return request

    def prefilled(self, generation: str, prompt_tokens: int, cached_tokens: int | None) -> None:
        """The engine has computed the prompt. `cached_tokens` None: it says so later, if ever."""
        run = self._running.runs.get(generation)
        if run is None or run.prefilled:
            return
        self._running.mark_prefilled(run, prompt_tokens)
        if cached_tokens is not None:
            self.cached(generation, cached_tokens)

    def cached(self, generation: str, cached_tokens: int) -> None:
        """How much of a prompt was in the engine's cache: the charge becomes the true one, once."""
        run = self._running.runs.get(generation)
        if run is None or run.corrected:
            return
        run.corrected = True
        request = run.waiting.request
        cost = self.policy.prompt_cost * max(0, run.prompt_tokens - cached_tokens) / request.weight
        self.counters.charge(request.user, cost - run.charged)
        run.charged = cost
        self._order.touch(request.user)
        self._prefixes.learn(request, run.prompt_tokens, cached_tokens)

    def produced(self, generation: str, new_tokens: int, now: float) -> None:
        """New output tokens of a running request."""
        run = self._running.runs.get(generation)
        if run is None or new_tokens <= 0:
            return
        request = run.waiting.request
        prompt = 0
        if not run.produced:
            self._estimate.first_token(run, now)
            prompt = run.waiting.uncached_tokens
        self.counters.charge(request.user, self.policy.output_cost * new_tokens / request.weight)
        self._running.add_output(run, new_tokens, now)
        self._rate.add(new_tokens, prompt, now)

    def finish(self, generation: str, now: float, *, complete: bool = True) -> None:
        """The request is over, waiting or running; unknown generations are ignored.

        `complete` False says that it was cut short, so that its length teaches nothing.
        """
        waiting = self._take(generation, now)
        run = self._running.end(generation)
        if waiting is not None:
            self._estimate.left(generation)
            self._leave(waiting.request.user)
        if run is not None:
            self._conclude(run, complete)
            self._leave(run.waiting.request.user)

    def requeue(self, generation: str, now: float) -> None:
        """A running request could not be started after all: back to its old place, the charge undone."""
        run = self._running.end(generation)
        if run is None:
            return
        user = run.waiting.request.user
        self._put(run.waiting)
        self.counters.charge(user, -run.charged)
        self._order.touch(user)

    def pause(self, now: float) -> None:
        """No engine serves: nothing is picked, and the time in line counts against no deadline."""
        self._clock.pause(now)
        self._order.pause(now)

    def resume(self, now: float, *, cache_lost: bool = False) -> None:
        """The engine serves again; `cache_lost` if it is a new one, whose prefix cache is empty."""
        self._clock.resume(now)
        if cache_lost:
            self._prefixes.forget_all()

    def fit(self, kv_tokens: int) -> None:
        """An engine has started, and this is the size of its KV cache. Running promises are kept."""
        self._kv_tokens = kv_tokens
        self._running.fit(kv_tokens)
        self._prefixes.fit(kv_tokens)

    def line(self, now: float) -> list[Place]:
        """Everybody who waits, in the expected order of service."""
        line = self._order.line(now)
        waits = self._estimate.waits_s(
            line, self._order.beyond(line), now, large_pause_s=self._order.large_pause_s(now)
        )
        return [
            Place(one.request.generation, index, one.kind, one.request.user, wait)
            for index, (one, wait) in enumerate(zip(line, waits, strict=True), start=1)
        ]

    def expired(self, now: float) -> list[tuple[str, Expiry]]:
        """Every request past a deadline, again and again until it is finished."""
        clock = self._clock.at(now)
        late: list[tuple[str, Expiry]] = [
            (waiting.request.generation, "queue") for waiting in self._waiting.expired(clock)
        ]
        for generation, run in self._running.runs.items():
            reason = self._overrun(run, clock, now)
            if reason is not None:
                late.append((generation, reason))
        return late

    def load(self) -> Load:
        """The present load, for metrics, console and board."""
        running = self._running
        return Load(
            waiting={kind: self._waiting.of_class[kind] for kind in CLASSES},
            running={kind: running.of_class[kind] for kind in CLASSES},
            waiting_by_user=dict(self._waiting.of_user),
            running_by_user=dict(running.of_user),
            kv_tokens=running.kv_general + running.kv_reserved + running.kv_large,
            kv_budget=running.kv_budget,
            reserved=running.reserved_runs,
            slots=self.policy.slots,
            queued_tokens=self._queued_tokens(),
            tokens_per_s=self._rate.output_per_s() or 0.0,
        )

    def retry_after_s(self, now: float) -> float:
        """When a refused request is worth trying again: the tokens in line ÷ the measured rate."""
        rate = self._rate.work_per_s()
        if not rate:
            return UNKNOWN_RETRY_S
        return min(LONGEST_RETRY_S, max(1.0, self._queued_tokens() / rate))

    def priority_of(self, generation: str) -> int:
        """vLLM's priority, lower is sooner: the deadline in milliseconds. 0 for unknown generations.

        Under KV pressure vLLM preempts the largest number, the least urgent request.
        """
        run = self._running.runs.get(generation)
        waiting = run.waiting if run else self._waiting.of_generation.get(generation)
        return int(waiting.deadline * 1000) if waiting else 0

    def _check(self, request: Request, kind: RequestClass, now: float) -> None:
        policy, waiting = self.policy, self._waiting
        if request.generation in waiting.of_generation or request.generation in self._running.runs:
            raise DuplicateError(f"generation {request.generation} is in line or running already")
        if request.prompt_tokens + request.max_tokens > self._kv_tokens:
            raise TooLargeError(
                f"prompt of {request.prompt_tokens} tokens and answer of up to {request.max_tokens} exceed "
                f"the engine's {self._kv_tokens} KV tokens; shorten the prompt or the answer"
            )
        if waiting.of_class[kind] >= policy.queue_limit(kind):
            raise QueueFullError(
                f"{waiting.of_class[kind]} {kind} requests are waiting, the most allowed",
                self.retry_after_s(now),
            )
        if waiting.of_user.get(request.user, 0) >= policy.queue_user:
            raise QueueFullError(
                f"{policy.queue_user} of this user's requests are waiting, the most allowed",
                self.retry_after_s(now),
            )

    def _put(self, waiting: Waiting) -> None:
        self._waiting.put(waiting)
        self.counters.activate(waiting.request.user)
        self._order.put(waiting)

    def _take(self, generation: str, now: float) -> Waiting | None:
        waiting = self._waiting.take(generation)
        if waiting is not None:
            self._order.drop(waiting, now)
            if waiting.request.user not in self._waiting.of_user:
                self.counters.deactivate(waiting.request.user)
        return waiting

    def _leave(self, user: str) -> None:
        self._order.touch(user)
        if user not in self._waiting.of_user and user not in self._running.of_user:
            self.counters.retire(user)
        if not self._running.runs:
            self._rate.idle()

    def _conclude(self, run: Run, complete: bool) -> None:
        if complete and run.produced:
            self._lengths.observe(run.waiting.kind, run.produced)
        if run.prefilled:
            self._prefixes.remember(run.waiting.request, run.prompt_tokens, run.prompt_tokens + run.produced)

    def _overrun(self, run: Run, clock: float, now: float) -> Expiry | None:
        if not run.produced:
            return "first_token" if clock >= run.waiting.expires else None
        if now - run.progressed >= self.policy.stall_timeout_s:
            return "stall"
        return "total" if now - run.started >= self.policy.total_s(run.waiting.kind) else None

    def _queued_tokens(self) -> int:
        """Tokens that the line is going to cost: prompts as expected, answers of usual length."""
        answers = sum(count * self._lengths.mean(kind) for kind, count in self._waiting.of_class.items())
        return self._waiting.uncached_tokens + int(answers)
