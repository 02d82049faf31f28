"""A timing model of continuous batching: how long each engine step takes, and which tokens it makes.

The idea is vLLM v1's scheduler reduced to what users notice. The engine advances in steps. A step has a
token budget: every decoding sequence takes one token of it, the rest goes to the prompts that still
prefill, the first first, in chunks. The step lasts a fixed time (the weights are read once), plus a
little for each decoding sequence and for each token of context that it attends to, plus the prefilled
tokens at the prefill rate. So a long prompt lengthens everybody's step by its chunk, and many sequences
slow each other, as on a GPU. docs/emulated-4090d.md derives and checks the presets.

`SimulatedBatch` reads no clock: the emulated engine runs it with timers, simulations with a virtual clock.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Iterable

import msgspec


class Timing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of the timing model. Times in seconds, rates in tokens per second, sizes in tokens.

    `step_s` with one sequence sets the decode rate per stream: 1 / (step_s + seq_s). `first_token_s`
    is a floor under the time from arrival to first token, for whatever the steps do not explain
    (tokenising, transport). `prefill_tokens_per_s` inf: prompts cost nothing but their part of the budget.
    `context_token_s` is the time to read one token's keys and values. `prefill_chunk` is the most that one
    prompt gets of one step; 0: all that is left of it.
    """

    step_s: float
    seq_s: float = 0.0
    context_token_s: float = 0.0
    prefill_tokens_per_s: float = math.inf
    first_token_s: float = 0.0
    step_budget: int = 8192
    prefill_chunk: int = 0
    max_prefills: int = 128
    max_running: int = 128
    kv_tokens: int = 131_072

    def __post_init__(self) -> None:
        for name in (
            "step_s",
            "prefill_tokens_per_s",
            "step_budget",
            "max_prefills",
            "max_running",
            "kv_tokens",
        ):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}={getattr(self, name)!r} must be above 0")
        for name in ("seq_s", "context_token_s", "first_token_s", "prefill_chunk"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name}={getattr(self, name)!r} must not be negative")
        if self.step_budget < self.max_running:
            raise ValueError(
                f"step_budget={self.step_budget} is below max_running={self.max_running}: "
                "every running sequence needs a token of each step"
            )

    def duration_s(self, prefilled: int, decoding: int, context: int) -> float:
        """How long a step lasts: prompt tokens computed, sequences decoding, tokens they attend to in all."""
        return (
            self.step_s
            + self.seq_s * decoding
            + self.context_token_s * context
            + prefilled / self.prefill_tokens_per_s
        )

    def chunk(self, todo: int, budget: int) -> int:
        """How much of a prompt with `todo` tokens left is computed in a step with this budget left."""
        return min(todo, budget, self.prefill_chunk or todo)


PRESETS: dict[str, Timing] = {
    # The engine behind the other chat servers of the README's comparison: never the bottleneck.
    "peer": Timing(step_s=0.05, max_running=2048, kv_tokens=4_194_304),
    # A 4090D (24 GB) with Qwen3-4B in W4A16, Marlin kernels; derived, never measured.
    "4090d": Timing(
        step_s=0.0054,
        seq_s=0.00002,
        context_token_s=0.000000244,
        prefill_tokens_per_s=9_200,
        step_budget=1_024,
        prefill_chunk=768,
        max_running=128,
        kv_tokens=117_000,
    ),
    # SmolLM2-135M on two cores, vLLM for CPUs: 30 tokens/s alone, 245 at 32 streams, as measured.
    "embedded-cpu": Timing(
        step_s=0.030,
        seq_s=0.0031,
        prefill_tokens_per_s=625,
        step_budget=256,
        max_running=34,
        kv_tokens=93_184,
    ),
}


class SimulatedSequence(msgspec.Struct, kw_only=True):
    """One request inside the batch. `todo` is what its prefill still has to compute."""

    id: str
    prompt_tokens: int
    output_tokens: int
    priority: int
    added_at: float
    order: int
    todo: int
    chunk: int = 0
    produced: int = 0

    @property
    def kv(self) -> int:
        """Tokens that it holds (or will hold, once prefilled) in the KV cache."""
        return self.prompt_tokens + self.produced

    @property
    def rank(self) -> tuple[int, int]:
        """Lower is sooner: priority, then arrival."""
        return (self.priority, self.order)


class SimulatedBatch:
    """Sequences in an engine: `begin` plans a step and returns its duration, `end` returns what it made."""

    def __init__(self, timing: Timing) -> None:
        self.timing = timing
        self.preemptions = 0
        self._order = 0
        self._waiting: list[SimulatedSequence] = []
        self._running: dict[str, SimulatedSequence] = {}
        self._kv = 0

    @property
    def running(self) -> int:
        return len(self._running)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def idle(self) -> bool:
        return not self._running and not self._waiting

    @property
    def kv_usage(self) -> float:
        """Share of the KV cache that running sequences hold, 0 to 1."""
        return self._kv / self.timing.kv_tokens

    def add(self, id: str, prompt_tokens: int, output_tokens: int, now: float, priority: int = 0) -> None:
        """Add a request at `now`. It makes `output_tokens` (at least 1) unless removed before."""
        self._order += 1
        sequence = SimulatedSequence(
            id=id,
            prompt_tokens=prompt_tokens,
            output_tokens=max(1, output_tokens),
            priority=priority,
            added_at=now,
            order=self._order,
            todo=prompt_tokens,
        )
        insort(self._waiting, sequence, key=_rank)

    def remove(self, ids: Iterable[str]) -> None:
        """Remove these sequences, running or waiting; unknown ids are ignored."""
        gone = set(ids)
        for id in gone & self._running.keys():
            self._kv -= self._running.pop(id).kv
        if self._waiting:
            self._waiting = [sequence for sequence in self._waiting if sequence.id not in gone]

    def begin(self) -> float:
        """Plan the next step and return its duration in seconds; 0.0 when there is nothing to do."""
        if self.idle:
            return 0.0
        self._admit()
        decoding = context = 0
        for sequence in self._running.values():
            if not sequence.todo:
                decoding += 1
                context += sequence.kv
        prefilled = self._chunk(self.timing.step_budget - decoding)
        return self.timing.duration_s(prefilled, decoding, context)

    def end(self, now: float) -> list[SimulatedSequence]:
        """Finish the step at `now` and return the sequences that made a token; finished ones are removed."""
        made: list[SimulatedSequence] = []
        for sequence in self._running.values():
            if sequence.todo:
                sequence.todo -= sequence.chunk
                sequence.chunk = 0
            if sequence.todo or (
                not sequence.produced and now - sequence.added_at < self.timing.first_token_s - _TIMER_S
            ):
                continue
            sequence.produced += 1
            self._kv += 1
            made.append(sequence)
        for sequence in made:
            if sequence.produced >= sequence.output_tokens:
                self.remove((sequence.id,))
        self._preempt()
        return made

    def _admit(self) -> None:
        """Waiting → running, best rank first, while slots and KV last. The head blocks, as in vLLM."""
        while self._waiting and len(self._running) < self.timing.max_running:
            head = self._waiting[0]
            if self._running and self._kv + head.kv > self.timing.kv_tokens:
                return
            self._running[head.id] = self._waiting.pop(0)
            self._kv += head.kv

    def _chunk(self, budget: int) -> int:
        """Assign the prefills their chunks of this step's budget; returns the tokens assigned."""
        given = 0
        prefills = 0
        for sequence in self._running.values():
            if not sequence.todo:
                continue
            if given >= budget or prefills >= self.timing.max_prefills:
                break
            sequence.chunk = self.timing.chunk(sequence.todo, budget - given)
            given += sequence.chunk
            prefills += 1
        return given

    def _preempt(self) -> None:
        """Over the KV limit preempt the lowest-priority sequence, which will be computed again."""
        while self._kv > self.timing.kv_tokens and len(self._running) > 1:
            victim = max(self._running.values(), key=_rank)
            del self._running[victim.id]
            self._kv -= victim.kv
            victim.todo = victim.kv
            victim.chunk = 0
            insort(self._waiting, victim, key=_rank)
            self.preemptions += 1


_TIMER_S = 1e-9
"""Tolerance for sums of floats: a step that ends exactly at the floor is not early."""


def _rank(sequence: SimulatedSequence) -> tuple[int, int]:
    return sequence.rank
