"""The order of this product: deadlines between classes, token counters between users.

Rules (docs/scheduling.md; each has a test named for it in tests/inference/test_fair_queue.py):

1. Earliest deadline first between classes (EDF: Liu and Layland, 1973): each class puts forward the
   oldest request of its least-served user (VTC, see counters.py), and the earliest deadline wins.
2. Ageing: a request that waited longer than 2τ goes before all that, if its user runs nothing.
3. Caps yield: requests beyond a cap start only when no request within its caps can.
4. Reserved slots take quick requests of users within their caps, and an aged request whose class
   runs nothing at all.
5. A request that is past its deadline and lacks only KV tokens keeps the general slots closed, so that
   small requests cannot overtake a large one for ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from inference.counters import Counters
from inference.lane import Lane
from inference.order import Order, Pick
from inference.policy import CLASSES, Policy
from inference.request import RequestClass
from inference.running import Running
from inference.waiting import Waiting


class Candidate(NamedTuple):
    """Somebody who might be next: aged or not, beyond a cap or not."""

    waiting: Waiting
    aged: bool = False
    capped: bool = False


class FairQueue(Order):
    """Waiting requests by class and user."""

    def __init__(self, policy: Policy, running: Running, counters: Counters) -> None:
        self._policy = policy
        self._running = running
        self._counters = counters
        self._lanes: dict[RequestClass, Lane] = {
            kind: Lane(kind, policy, running, counters) for kind in CLASSES
        }

    def put(self, waiting: Waiting) -> None:
        self._lanes[waiting.kind].put(waiting)

    def drop(self, waiting: Waiting) -> None:
        self._lanes[waiting.kind].drop(waiting)

    def touch(self, user: str) -> None:
        for lane in self._lanes.values():
            lane.touch(user)

    def next(self, now: float) -> Pick | None:
        running = self._running
        if len(running.runs) >= self._policy.slots:
            return None
        closed = passed = False
        for candidate in self._candidates(now):
            # The last general slot stays free for one who is within their caps and is only waiting
            # for the heavy prefill before theirs.
            yields = candidate.capped and passed and running.general_runs + 1 >= self._policy.max_running
            verdict = running.verdict(
                candidate.waiting, general=not closed and not yields, reserved=self._may_reserve(candidate)
            )
            if verdict in ("general", "reserved"):
                return candidate.waiting, verdict
            closed = closed or (verdict == "kv" and now >= candidate.waiting.deadline)
            passed = True
        return None

    def line(self, now: float) -> list[Waiting]:
        """The order of service as it stands: aged requests, then the classes merged by deadline.

        Within a class, requests are sorted by the counter that their user will have reached when their
        turn comes, which is how VTC would take them if nobody else arrived.
        """
        aged = sorted(
            (waiting for waiting in self._oldest() if waiting.ageing <= now), key=lambda one: one.deadline
        )
        first = {waiting.seq for waiting in aged}
        lanes = [self._by_counter(lane, first) for lane in self._lanes.values()]
        return aged + _merged(lanes)

    def _candidates(self, now: float) -> Iterator[Candidate]:
        """Everybody who might be next, best first."""
        lanes = self._lanes
        heavy_full = self._running.of_class["heavy"] >= self._policy.heavy_running
        oldest = (lane.longest_waiting() for lane in lanes.values())
        aged = [waiting for waiting in oldest if waiting and waiting.ageing <= now]
        aged.sort(key=_urgency)
        within = [lane.least_served(capped=False) for lane in lanes.values()]
        light = [waiting for waiting in within if waiting and not (heavy_full and waiting.kind == "heavy")]
        light.sort(key=_urgency)
        yield from (Candidate(one, aged=True) for one in aged if not (heavy_full and one.kind == "heavy"))
        yield from (Candidate(one) for one in light)
        if heavy_full:
            yield from (Candidate(one, aged=True, capped=True) for one in aged if one.kind == "heavy")
            yield from (Candidate(one, capped=True) for one in within if one and one.kind == "heavy")
        beyond = [lane.least_served(capped=True) for lane in lanes.values()]
        yield from (Candidate(one, capped=True) for one in sorted(filter(None, beyond), key=_urgency))

    def _may_reserve(self, candidate: Candidate) -> bool:
        if candidate.capped:
            return False
        kind = candidate.waiting.kind
        return kind == "quick" or (candidate.aged and self._running.of_class[kind] == 0)

    def _oldest(self) -> Iterator[Waiting]:
        for lane in self._lanes.values():
            for user, mine in lane.users.items():
                if user not in self._running.of_user:
                    yield mine[0]

    def _by_counter(self, lane: Lane, without: set[int]) -> list[Waiting]:
        policy = self._policy
        tagged: list[tuple[float, float, int, Waiting]] = []
        output_cost = policy.output_cost * self._running.likely_output(lane.kind)
        for user, mine in lane.users.items():
            tag = self._counters.of(user)
            for waiting in mine:
                if waiting.seq not in without:
                    tagged.append((tag, *waiting.place, waiting))
                tag += (policy.prompt_cost * waiting.uncached_tokens + output_cost) / waiting.request.weight
        tagged.sort()
        return [entry[3] for entry in tagged]


def _urgency(waiting: Waiting) -> tuple[float, int]:
    return (waiting.deadline, waiting.seq)


def _merged(lines: list[list[Waiting]]) -> list[Waiting]:
    """Merge lines by the deadline of their heads, as `next` would."""
    heads = [0] * len(lines)
    merged: list[Waiting] = []
    for _ in range(sum(map(len, lines))):
        best = min(
            (index for index, line in enumerate(lines) if heads[index] < len(line)),
            key=lambda index: lines[index][heads[index]].deadline,
        )
        merged.append(lines[best][heads[best]])
        heads[best] += 1
    return merged
