"""The order of this product: deadlines between classes, token counters between users.

Rules (docs/scheduling.md; each has its test, in tests/inference/test_fair_queue.py or test_slots.py):

1. Earliest deadline first between classes (EDF: Liu and Layland, 1973): each class puts forward the
   oldest request of its least-served user (VTC, see counters.py), and the earliest deadline wins.
2. Ageing: a request that waited longer than 2τ goes before all that, if its user runs nothing; the
   longest wait first, so that an overload of quick requests shuts out no other class.
3. Caps yield: requests beyond a cap start only when no request within its caps can. Beside others, a
   user beyond their cap leaves some slots free and adds no prompts to those in prefill.
4. Reserved slots take quick requests of users within their caps, and an aged request whose class
   runs nothing at all.
5. A request that is past its deadline and lacks only KV tokens keeps the general slots closed, so that
   small requests cannot overtake it for ever.
6. Large requests, whose prompt takes much of the KV cache, wait in a line of their own, keep the slots
   closed only for a user who runs nothing, and make others wait for a small part of the time (ration.py).
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from inference.request import RequestClass
from inference.scheduling.counters import Counters
from inference.scheduling.lane import Lane
from inference.scheduling.order import Order, Pick
from inference.scheduling.policy import CLASSES, Policy
from inference.scheduling.ration import Ration
from inference.scheduling.running import Running
from inference.scheduling.waiting import Waiting

LaneName = RequestClass | Literal["large"]
"""Large requests of every class wait by themselves: what fits does not wait behind what does not."""


class Candidate(NamedTuple):
    """Somebody who might be next; `aged` if they waited too long, `beyond` if their user is at a cap."""

    waiting: Waiting
    aged: bool = False
    beyond: bool = False


class FairQueue(Order):
    """Waiting requests by class and user."""

    def __init__(self, policy: Policy, running: Running, counters: Counters) -> None:
        self._policy = policy
        self._running = running
        self._counters = counters
        self._lanes: dict[LaneName, Lane] = {kind: Lane(kind, policy, running, counters) for kind in CLASSES}
        self._lanes["large"] = Lane("heavy", policy, running, counters)
        self._ration = Ration(policy.large_wait_share, policy.large_pause_s)
        self._keeps_closed: Waiting | None = None

    def put(self, waiting: Waiting) -> None:
        self._lanes[_lane(waiting)].put(waiting)

    def drop(self, waiting: Waiting, now: float) -> None:
        self._lanes[_lane(waiting)].drop(waiting, now)
        if waiting is self._keeps_closed:
            self._keeps_closed = None

    def touch(self, user: str) -> None:
        for lane in self._lanes.values():
            lane.touch(user)

    def next(self, now: float) -> Pick | None:
        running = self._running
        self._ration.look(now)
        self._ration.tell(others_wait=False)
        if len(running.runs) >= self._policy.slots:
            return None
        closed = False
        for candidate in self._candidates(now):
            waiting = candidate.waiting
            if candidate.beyond and not self._room_beyond(waiting):
                continue
            if waiting.large and not self._room_for_large(waiting):
                continue
            verdict = running.verdict(waiting, general=not closed, reserved=self._may_reserve(candidate))
            if verdict in ("general", "reserved"):
                return waiting, verdict
            if verdict != "kv":
                continue
            if waiting.large:
                if now >= waiting.deadline and waiting.request.user not in running.of_user:
                    self._keeps_closed, closed = waiting, True
                elif waiting is self._keeps_closed:
                    self._keeps_closed = None
            else:
                closed = closed or now >= waiting.deadline
                self._ration.tell(others_wait=self._keeps_closed is not None or running.large_runs > 0)
        return None

    def line(self, now: float) -> list[Waiting]:
        """The order of service as it stands: aged requests, then the classes merged by deadline.

        Within a class, requests are sorted by the counter that their user will have reached when their
        turn comes, which is how VTC would take them if nobody else arrived.
        """
        aged = sorted((waiting for waiting in self._oldest() if waiting.ageing <= now), key=_age)
        first = {waiting.seq for waiting in aged}
        lanes = [
            lane.by_counter(self._running.likely_output(lane.kind), first) for lane in self._lanes.values()
        ]
        return aged + _merged(lanes)

    def beyond(self, line: Sequence[Waiting]) -> list[bool]:
        policy, users = self._policy, {one.request.user for one in line}
        runs, heavies = Counter(self._running.of_user), Counter(self._running.heavy_of_user)
        if len(users.union(runs)) <= 1:
            return [False] * len(line)
        found = []
        for waiting in line:
            user, is_heavy = waiting.request.user, waiting.kind == "heavy"
            found.append(
                runs[user] >= (waiting.request.max_running or policy.user_running)
                or (is_heavy and heavies[user] >= policy.user_heavy_running)
            )
            runs[user] += 1
            heavies[user] += is_heavy
        return found

    def pause(self, now: float) -> None:
        self._ration.look(now)
        self._ration.tell(others_wait=False)

    def large_pause_s(self, now: float) -> float:
        self._ration.look(now)
        return self._ration.pause_s

    def _candidates(self, now: float) -> Iterator[Candidate]:
        """Everybody who might be next, best first."""
        lanes = self._lanes.values()
        heavy_full = self._running.of_class["heavy"] >= self._policy.heavy_running
        aged = [one for lane in lanes if (one := lane.longest_waiting()) and one.ageing <= now]
        within = [one for lane in lanes if (one := lane.least_served(capped=False))]
        aged.sort(key=_age)
        within.sort(key=_urgency)
        for waiting in aged:
            if not (heavy_full and waiting.kind == "heavy"):
                yield Candidate(waiting, aged=True)
        for waiting in within:
            if not (heavy_full and waiting.kind == "heavy"):
                yield Candidate(waiting)
        if heavy_full:
            for waiting in aged + within:
                if waiting.kind == "heavy":
                    yield Candidate(waiting)
        beyond = [one for lane in lanes if (one := lane.least_served(capped=True))]
        beyond.sort(key=_urgency)
        for waiting in beyond:
            yield Candidate(waiting, beyond=True)

    def _room_beyond(self, waiting: Waiting) -> bool:
        """Whether a user beyond their cap may start another: always when alone; beside others, only so
        that a newcomer still finds a free slot and no queue of prompts inside the engine."""
        running, policy = self._running, self._policy
        if len(running.of_user) <= 1:
            return True
        if running.general_runs >= policy.beyond_cap_running:
            return False
        prefill = running.prefill_tokens
        return not prefill or prefill + waiting.uncached_tokens <= policy.beyond_cap_prefill_tokens

    def _room_for_large(self, waiting: Waiting) -> bool:
        """Whether a large request may start if it fits: always when its user is alone or the slots are being
        emptied for it; else while large ones have not kept others waiting for longer than their share."""
        if waiting is self._keeps_closed or not self._running.runs:
            return True
        user = waiting.request.user
        others = any(len(lane.users) > (user in lane.users) for lane in self._lanes.values())
        alone = not others and len(self._running.of_user) <= (user in self._running.of_user)
        return alone or not self._ration.pause_s

    def _may_reserve(self, candidate: Candidate) -> bool:
        kind = candidate.waiting.kind
        if candidate.waiting.large:
            return False
        if kind == "quick":
            return not candidate.beyond
        return candidate.aged and self._running.of_class[kind] == 0

    def _oldest(self) -> Iterator[Waiting]:
        for lane in self._lanes.values():
            for user, mine in lane.users.items():
                if user not in self._running.of_user:
                    yield mine[0]


def _lane(waiting: Waiting) -> LaneName:
    return "large" if waiting.large else waiting.kind


def _age(waiting: Waiting) -> tuple[float, int]:
    return waiting.place


def _urgency(waiting: Waiting) -> tuple[float, int]:
    return (waiting.deadline, waiting.seq)


def _merged(lines: list[list[Waiting]]) -> list[Waiting]:
    """Merge lines by the deadline of their heads, as `next` would."""
    heads = [(line[0].deadline, line[0].seq, index, 0) for index, line in enumerate(lines) if line]
    heapq.heapify(heads)
    merged: list[Waiting] = []
    while heads:
        _, _, index, at = heads[0]
        line = lines[index]
        merged.append(line[at])
        if at + 1 < len(line):
            follower = line[at + 1]
            heapq.heapreplace(heads, (follower.deadline, follower.seq, index, at + 1))
        else:
            heapq.heappop(heads)
    return merged
