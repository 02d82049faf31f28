"""The scheduler: which request starts next. Pure: no I/O, the clock is an argument.

Life of a request: `add` → waiting → `schedule_next` → running → `prefilled` → `produced`… → `finish`. The
scheduler owns the rules and their bookkeeping; the order of the queue is behind `RequestQueue`, so that a
benchmark can replace it alone. Every `now` is seconds of one monotonic clock and never falls.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

from inference.request import Request, RequestClass
from inference.scheduling.classify import classify
from inference.scheduling.fair_queue import FairQueue
from inference.scheduling.measurements import OutputLengths, TokenRate
from inference.scheduling.policy import CLASSES, Policy
from inference.scheduling.prefix_cache import PrefixCacheModel
from inference.scheduling.request_queue import QueueFactory
from inference.scheduling.running import RunningRequest, RunningRequests
from inference.scheduling.token_counters import TokenCounters
from inference.scheduling.wait_estimator import WaitEstimator
from inference.scheduling.waiting import ServiceClock, WaitingRequest, WaitingRequests

Expiry = Literal["queue", "first_token", "stall", "total"]
"""Which deadline passed: waiting for a slot, for the first token, between tokens, for the whole answer."""

DEFAULT_RETRY_AFTER_S = 5.0
"""Retry-After before any rate was measured: an engine that just started answers within seconds."""

MAX_RETRY_AFTER_S = 600.0
"""Nobody plans further ahead than ten minutes on an estimate."""


class SchedulerError(Exception):
    """Base of the scheduler's refusals. `code` is the wire's code (chatsite.streaming.frames)."""

    code: ClassVar[str]


class QueueFullError(SchedulerError):
    """The queue is full, for everybody or for this user. `retry_after_s` is when there may be room."""

    code = "queue_full"

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class TooLargeError(SchedulerError):
    """Prompt and answer do not fit the KV cache of an empty engine."""

    code = "too_long"


class DuplicateError(SchedulerError):
    """This generation is waiting or running already."""

    code = "duplicate"


class QueuePosition(msgspec.Struct, frozen=True):
    """A waiting request's position from 1 in the expected order of service, and its estimated wait in
    seconds."""

    generation: str
    position: int
    kind: RequestClass
    user: str
    eta_s: float | None


class SchedulerLoad(msgspec.Struct, frozen=True, kw_only=True):
    """Waiting and running requests by class; KV tokens reserved and the budget that they count against."""

    waiting: dict[str, int]
    running: dict[str, int]
    kv_tokens: int
    kv_budget: int
    reserved: int
    slots: int
    queued_tokens: int


class Scheduler:
    """Schedules requests by a policy. `kv_tokens` is the size of the engine's KV cache.

    `make_queue` replaces the order alone: `FairQueue` is ours; benchmarks compare it with `FifoQueue` and
    `StrictPriorityQueue`. `waiting`, `running`, `queue` and `counters` are for reading only.
    """

    def __init__(self, policy: Policy, kv_tokens: int, make_queue: QueueFactory = FairQueue) -> None:
        self.policy = policy
        self.counters = TokenCounters()
        self._kv_tokens = kv_tokens
        self.waiting = WaitingRequests()
        self._lengths = OutputLengths(policy)
        self.running = RunningRequests(policy, kv_tokens, self._lengths)
        self.queue = make_queue(policy, self.running, self.counters)
        self._prefix_cache = PrefixCacheModel(kv_tokens)
        self._rate = TokenRate()
        self._estimator = WaitEstimator(policy, self.running, self._lengths, self._rate)
        self._clock = ServiceClock()
        self._seq = 0

    def add(self, request: Request, now: float) -> RequestClass:
        """Add a request to the queue. Raises QueueFullError, TooLargeError, DuplicateError."""
        cached = self._prefix_cache.expected_hit(request)
        kind = classify(request, cached, self.policy)
        self._check(request, kind, now)
        tau = self.policy.deadline_s(kind)
        enqueued = now - request.waited_s
        self._seq += 1
        large = request.prompt_tokens > self.running.large_threshold
        timeout_s = self.policy.first_token_s("heavy" if large else kind)
        waiting = WaitingRequest(
            request=request,
            kind=kind,
            seq=self._seq,
            enqueued=enqueued,
            deadline=enqueued + tau,
            ageing=enqueued + self.policy.ageing_factor * tau,
            expires=self._clock.at(now) + timeout_s,
            uncached_tokens=request.prompt_tokens - cached,
            large=large,
            level=self.counters.floor,
        )
        self._enqueue(waiting)
        return kind

    def schedule_next(self, now: float) -> Request | None:
        """Move the next request that may start to running and return it. Call until None."""
        if self._clock.paused:
            return None
        selected = self.queue.select_next(now)
        if selected is None:
            return None
        waiting, admission = selected
        request = waiting.request
        self._dequeue(request.generation, now)
        cost = self.policy.prompt_cost * waiting.uncached_tokens / request.weight
        self.counters.charge(request.user, cost)
        self.running.start(waiting, now, admission, cost)
        self.queue.update_user(request.user)
        self._estimator.started(waiting, now)
        return request

    def prefilled(self, generation: str, prompt_tokens: int, cached_tokens: int | None) -> None:
        """The engine has computed the prompt. `cached_tokens` None: not known yet."""
        run = self.running.requests.get(generation)
        if run is None or run.prefilled:
            return
        self.running.mark_prefilled(run, prompt_tokens)
        if cached_tokens is not None:
            self.report_cached(generation, cached_tokens)

    def report_cached(self, generation: str, cached_tokens: int) -> None:
        """Report how much of a prompt was in the engine's cache: corrects the charge, once."""
        run = self.running.requests.get(generation)
        if run is None or run.corrected:
            return
        run.corrected = True
        request = run.waiting.request
        cost = self.policy.prompt_cost * max(0, run.prompt_tokens - cached_tokens) / request.weight
        self.counters.charge(request.user, cost - run.charged)
        run.charged = cost
        self.queue.update_user(request.user)
        self._prefix_cache.calibrate(request, run.prompt_tokens, cached_tokens)

    def produced(self, generation: str, new_tokens: int, now: float) -> None:
        """New output tokens of a running request."""
        run = self.running.requests.get(generation)
        if run is None or new_tokens <= 0:
            return
        request = run.waiting.request
        prompt = 0
        if not run.produced:
            self._estimator.first_token(run, now)
            prompt = run.waiting.uncached_tokens
        self.counters.charge(request.user, self.policy.output_cost * new_tokens / request.weight)
        self.running.add_output(run, new_tokens, now)
        self._rate.add(new_tokens, prompt, now)

    def finish(self, generation: str, now: float, *, complete: bool = True) -> None:
        """Remove a request, waiting or running; unknown generations are ignored.

        `complete` False: it was cut short, so its length is not learnt from.
        """
        waiting = self._dequeue(generation, now)
        run = self.running.remove(generation)
        if waiting is not None:
            self._estimator.discard(generation)
            self._user_left(waiting.request.user)
        if run is not None:
            self._learn(run, complete)
            self._user_left(run.waiting.request.user)

    def requeue(self, generation: str, now: float) -> None:
        """A running request could not be started after all: back to its old position, the charge undone."""
        run = self.running.remove(generation)
        if run is None:
            return
        user = run.waiting.request.user
        self._enqueue(run.waiting)
        self.counters.charge(user, -run.charged)
        self.queue.update_user(user)

    def pause(self, now: float) -> None:
        """No engine serves: nothing starts, and waiting counts against no deadline."""
        self._clock.pause(now)
        self.queue.pause(now)

    def resume(self, now: float, *, cache_lost: bool = False) -> None:
        """The engine serves again; `cache_lost` if it is a new one, whose prefix cache is empty."""
        self._clock.resume(now)
        if cache_lost:
            self._prefix_cache.clear()

    def set_kv_tokens(self, kv_tokens: int) -> None:
        """Set the size of a new engine's KV cache. Reservations of running requests are kept."""
        self._kv_tokens = kv_tokens
        self.running.set_kv_tokens(kv_tokens)
        self._prefix_cache.resize(kv_tokens)

    def positions(self, now: float) -> list[QueuePosition]:
        """Position and estimated wait of all waiting requests, in the expected order of service."""
        ordered = self.queue.in_order(now)
        waits = self._estimator.waits_s(
            ordered, self.queue.over_cap(ordered), now, large_pause_s=self.queue.large_pause_s(now)
        )
        return [
            QueuePosition(one.request.generation, index, one.kind, one.request.user, wait)
            for index, (one, wait) in enumerate(zip(ordered, waits, strict=True), start=1)
        ]

    def expired(self, now: float) -> list[tuple[str, Expiry]]:
        """Requests past a deadline, with which one; reported on every call until they are finished."""
        clock = self._clock.at(now)
        late: list[tuple[str, Expiry]] = [
            (waiting.request.generation, "queue") for waiting in self.waiting.expired(clock)
        ]
        for generation, run in self.running.requests.items():
            reason = self._passed_deadline(run, clock, now)
            if reason is not None:
                late.append((generation, reason))
        return late

    def load(self) -> SchedulerLoad:
        """The current load, for metrics, console and status."""
        running = self.running
        return SchedulerLoad(
            waiting={kind: self.waiting.of_class[kind] for kind in CLASSES},
            running={kind: running.of_class[kind] for kind in CLASSES},
            kv_tokens=running.kv_general + running.kv_reserved + running.kv_large,
            kv_budget=running.kv_budget,
            reserved=running.reserved_count,
            slots=self.policy.slots,
            queued_tokens=self._queued_tokens(),
        )

    def retry_after_s(self, now: float) -> float:
        """When a refused request is worth trying again: the queued tokens ÷ the measured rate."""
        rate = self._rate.work_per_s()
        if not rate:
            return DEFAULT_RETRY_AFTER_S
        return min(MAX_RETRY_AFTER_S, max(1.0, self._queued_tokens() / rate))

    def priority_of(self, generation: str) -> int:
        """vLLM's priority, lower is sooner: the deadline in milliseconds. 0 for unknown generations.

        Under KV pressure vLLM preempts the largest number, the least urgent request.
        """
        run = self.running.requests.get(generation)
        waiting = run.waiting if run else self.waiting.requests.get(generation)
        return int(waiting.deadline * 1000) if waiting else 0

    def _check(self, request: Request, kind: RequestClass, now: float) -> None:
        policy, waiting = self.policy, self.waiting
        if request.generation in waiting.requests or request.generation in self.running.requests:
            raise DuplicateError(f"generation {request.generation} is waiting or running already")
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

    def _enqueue(self, waiting: WaitingRequest) -> None:
        self.waiting.add(waiting)
        self.counters.activate(waiting.request.user)
        self.queue.add(waiting)

    def _dequeue(self, generation: str, now: float) -> WaitingRequest | None:
        waiting = self.waiting.remove(generation)
        if waiting is not None:
            self.queue.remove(waiting, now)
            if waiting.request.user not in self.waiting.of_user:
                self.counters.deactivate(waiting.request.user)
        return waiting

    def _user_left(self, user: str) -> None:
        self.queue.update_user(user)
        if user not in self.waiting.of_user and user not in self.running.of_user:
            self.counters.retire(user)
        if not self.running.requests:
            self._rate.idle()

    def _learn(self, run: RunningRequest, complete: bool) -> None:
        if complete and run.produced:
            self._lengths.observe(run.waiting.kind, run.produced)
        if run.prefilled:
            self._prefix_cache.insert(
                run.waiting.request, run.prompt_tokens, run.prompt_tokens + run.produced
            )

    def _passed_deadline(self, run: RunningRequest, clock: float, now: float) -> Expiry | None:
        if not run.produced:
            return "first_token" if clock >= run.waiting.expires else None
        if now - run.progressed >= self.policy.stall_timeout_s:
            return "stall"
        return "total" if now - run.started >= self.policy.total_s(run.waiting.kind) else None

    def _queued_tokens(self) -> int:
        """Tokens that the queue will cost: uncached prompts, and answers of mean length."""
        answers = sum(count * self._lengths.mean(kind) for kind, count in self.waiting.of_class.items())
        return self.waiting.uncached_tokens + int(answers)
