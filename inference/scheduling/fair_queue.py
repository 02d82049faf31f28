"""The fair queue: deadlines between request classes, virtual token counters between users.

Rules (docs/scheduling.md; each has its test, in tests/inference/test_fair_queue.py or test_slots.py):

1. Earliest deadline first between classes (EDF: Liu and Layland, 1973): each class puts forward the
   oldest request of its least-served user (VTC, see token_counters.py), and the earliest deadline wins.
2. Ageing: a request that waited longer than 2τ goes before all that, if its user runs nothing; the
   longest wait first, so that an overload of quick requests shuts out no other class.
3. Caps yield: requests beyond a cap start only when no request within its caps can. Beside others, a
   user beyond their cap leaves some slots free and adds no prompts to those in prefill.
4. Reserved slots take quick requests of users within their caps, and an aged request whose class
   runs nothing at all.
5. A request that is past its deadline and lacks only KV tokens keeps the general slots closed, so that
   small requests cannot overtake it for ever.
6. Large requests, whose prompt takes much of the KV cache, wait in a queue of their own, keep the slots
   closed only for a user who runs nothing, and make others wait for a small part of the time
   (LargeRequestThrottle).
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from inference.request import RequestClass
from inference.scheduling.class_queue import ClassQueue
from inference.scheduling.policy import CLASSES, Policy
from inference.scheduling.request_queue import RequestQueue, Selection
from inference.scheduling.running import RunningRequests
from inference.scheduling.token_counters import TokenCounters
from inference.scheduling.waiting import WaitingRequest

ClassQueueName = RequestClass | Literal["large"]
"""Large requests of all classes have one queue: requests that fit do not wait behind those that do not."""


class _Candidate(NamedTuple):
    """A request that may be next; `aged` if it waited too long, `over_cap` if its user is at a cap."""

    waiting: WaitingRequest
    aged: bool = False
    over_cap: bool = False


class LargeRequestThrottle:
    """Bounds the share of time in which large requests make others wait for KV tokens.

    Idea: a request that holds much of the KV cache may start only by keeping others out of it. While one
    does, a debt grows; while none does, it is paid back, slower by the share's odds. Large requests start
    again once nothing is owed. So a request that comes at a random moment meets a large one with that
    probability at most, however many of them wait; and since the debt is bounded, each of those gets its
    turn.

    `share` is in (0, 1); `longest_pause_s` bounds the debt.
    """

    def __init__(self, share: float, longest_pause_s: float) -> None:
        self._odds = (1 - share) / share
        self._max_debt_s = longest_pause_s / self._odds
        self._debt_s = 0.0
        self._advanced_at: float | None = None
        self._others_wait = False

    def advance(self, now: float) -> None:
        """Account for the time since the last call, in the state that was set last."""
        passed = 0.0 if self._advanced_at is None else now - self._advanced_at
        self._advanced_at = now
        change = passed if self._others_wait else -passed / self._odds
        self._debt_s = min(self._max_debt_s, max(0.0, self._debt_s + change))

    def set_others_wait(self, others_wait: bool) -> None:
        """Whether, from now on, a request waits for KV tokens because of a large one."""
        self._others_wait = others_wait

    @property
    def pause_s(self) -> float:
        """Seconds without a large request after which the next may start; 0 when it may now."""
        return self._debt_s * self._odds


class FairQueue(RequestQueue):
    """The queue of this product: one ClassQueue per class and one for large requests."""

    def __init__(self, policy: Policy, running: RunningRequests, counters: TokenCounters) -> None:
        self._policy = policy
        self._running = running
        self._counters = counters
        self._queues: dict[ClassQueueName, ClassQueue] = {
            kind: ClassQueue(kind, policy, running, counters) for kind in CLASSES
        }
        self._queues["large"] = ClassQueue("heavy", policy, running, counters)
        self._throttle = LargeRequestThrottle(policy.large_wait_share, policy.large_pause_s)
        self._blocking: WaitingRequest | None = None

    def add(self, waiting: WaitingRequest) -> None:
        self._queues[_queue_name(waiting)].add(waiting)

    def remove(self, waiting: WaitingRequest, now: float) -> None:
        self._queues[_queue_name(waiting)].remove(waiting, now)
        if waiting is self._blocking:
            self._blocking = None

    def update_user(self, user: str) -> None:
        for queue in self._queues.values():
            queue.update_user(user)

    def select_next(self, now: float) -> Selection | None:
        running = self._running
        self._throttle.advance(now)
        self._throttle.set_others_wait(False)
        if len(running.requests) >= self._policy.slots:
            return None
        closed = False
        for candidate in self._candidates(now):
            waiting = candidate.waiting
            if candidate.over_cap and not self._may_exceed_cap(waiting):
                continue
            if waiting.large and not self._may_start_large(waiting):
                continue
            admission = running.admission(
                waiting, general=not closed, reserved=self._may_use_reserved(candidate)
            )
            if admission in ("general", "reserved"):
                return waiting, admission
            if admission != "kv":
                continue
            if waiting.large:
                if now >= waiting.deadline and waiting.request.user not in running.of_user:
                    self._blocking, closed = waiting, True
                elif waiting is self._blocking:
                    self._blocking = None
            else:
                closed = closed or now >= waiting.deadline
                self._throttle.set_others_wait(self._blocking is not None or running.large_count > 0)
        return None

    def in_order(self, now: float) -> list[WaitingRequest]:
        """The expected order of service: aged requests, then the classes merged by deadline.

        Within a class, requests are sorted by the counter that their user will have reached when their
        turn comes, which is how VTC would take them if nobody else arrived.
        """
        aged = sorted((waiting for waiting in self._oldest() if waiting.ageing <= now), key=_age)
        first = {waiting.seq for waiting in aged}
        queues = [
            queue.in_fair_order(self._running.likely_output(queue.kind), first)
            for queue in self._queues.values()
        ]
        return aged + _merge(queues)

    def over_cap(self, ordered: Sequence[WaitingRequest]) -> list[bool]:
        policy, users = self._policy, {one.request.user for one in ordered}
        running, heavies = Counter(self._running.of_user), Counter(self._running.heavy_of_user)
        if len(users.union(running)) <= 1:
            return [False] * len(ordered)
        found = []
        for waiting in ordered:
            user, is_heavy = waiting.request.user, waiting.kind == "heavy"
            found.append(
                running[user] >= (waiting.request.max_running or policy.user_running)
                or (is_heavy and heavies[user] >= policy.user_heavy_running)
            )
            running[user] += 1
            heavies[user] += is_heavy
        return found

    @property
    def heap_entries(self) -> int:
        return sum(queue.heap_entries for queue in self._queues.values())

    def pause(self, now: float) -> None:
        self._throttle.advance(now)
        self._throttle.set_others_wait(False)

    def large_pause_s(self, now: float) -> float:
        self._throttle.advance(now)
        return self._throttle.pause_s

    def _candidates(self, now: float) -> Iterator[_Candidate]:
        """All requests that may be next, best first."""
        queues = self._queues.values()
        heavy_full = self._running.of_class["heavy"] >= self._policy.heavy_running
        aged = [one for queue in queues if (one := queue.longest_waiting()) and one.ageing <= now]
        within = [one for queue in queues if (one := queue.least_served(capped=False))]
        aged.sort(key=_age)
        within.sort(key=_urgency)
        for waiting in aged:
            if not (heavy_full and waiting.kind == "heavy"):
                yield _Candidate(waiting, aged=True)
        for waiting in within:
            if not (heavy_full and waiting.kind == "heavy"):
                yield _Candidate(waiting)
        if heavy_full:
            for waiting in aged + within:
                if waiting.kind == "heavy":
                    yield _Candidate(waiting)
        beyond = [one for queue in queues if (one := queue.least_served(capped=True))]
        beyond.sort(key=_urgency)
        for waiting in beyond:
            yield _Candidate(waiting, over_cap=True)

    def _may_exceed_cap(self, waiting: WaitingRequest) -> bool:
        """Whether a user beyond their cap may start another: always when alone; beside others, only so
        that a newcomer still finds a free slot and no queue of prompts inside the engine."""
        running, policy = self._running, self._policy
        if len(running.of_user) <= 1:
            return True
        if running.general_count >= policy.beyond_cap_running:
            return False
        prefill = running.prefill_tokens
        return not prefill or prefill + waiting.uncached_tokens <= policy.beyond_cap_prefill_tokens

    def _may_start_large(self, waiting: WaitingRequest) -> bool:
        """Whether a large request may start if it fits: always when its user is alone or the slots are being
        emptied for it; else while large ones have not kept others waiting for longer than their share."""
        if waiting is self._blocking or not self._running.requests:
            return True
        user = waiting.request.user
        others = any(len(queue.users) > (user in queue.users) for queue in self._queues.values())
        alone = not others and len(self._running.of_user) <= (user in self._running.of_user)
        return alone or not self._throttle.pause_s

    def _may_use_reserved(self, candidate: _Candidate) -> bool:
        kind = candidate.waiting.kind
        if candidate.waiting.large:
            return False
        if kind == "quick":
            return not candidate.over_cap
        return candidate.aged and self._running.of_class[kind] == 0

    def _oldest(self) -> Iterator[WaitingRequest]:
        for queue in self._queues.values():
            for user, mine in queue.users.items():
                if user not in self._running.of_user:
                    yield mine[0]


def _queue_name(waiting: WaitingRequest) -> ClassQueueName:
    return "large" if waiting.large else waiting.kind


def _age(waiting: WaitingRequest) -> tuple[float, int]:
    return waiting.arrival


def _urgency(waiting: WaitingRequest) -> tuple[float, int]:
    return (waiting.deadline, waiting.seq)


def _merge(queues: list[list[WaitingRequest]]) -> list[WaitingRequest]:
    """Merge queues by the deadline of their heads, as `select_next` would."""
    heads = [(queue[0].deadline, queue[0].seq, index, 0) for index, queue in enumerate(queues) if queue]
    heapq.heapify(heads)
    merged: list[WaitingRequest] = []
    while heads:
        _, _, index, at = heads[0]
        queue = queues[index]
        merged.append(queue[at])
        if at + 1 < len(queue):
            follower = queue[at + 1]
            heapq.heapreplace(heads, (follower.deadline, follower.seq, index, at + 1))
        else:
            heapq.heappop(heads)
    return merged
