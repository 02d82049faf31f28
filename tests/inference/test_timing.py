"""The timing model on a virtual clock: rates, chunks, slots, KV."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.engines.emulated.timing import SimulatedBatch, Timing


def run(batch, arrivals=(), limit=10_000):
    """(id, time) of every token, the virtual clock starting at 0; arrivals are (at, id, prompt, output)."""
    arrivals = sorted(arrivals)
    now, made = 0.0, []
    for _ in range(limit):
        while arrivals and arrivals[0][0] <= now:
            _, id, prompt, output = arrivals.pop(0)
            batch.add(id, prompt, output, now)
        duration = batch.begin()
        if not duration:
            if not arrivals:
                return made
            now = arrivals[0][0]
            continue
        now += duration
        made += [(sequence.id, now) for sequence in batch.end(now)]
    raise AssertionError("it does not end")


def times(made, id):
    return [at for name, at in made if name == id]


def test_alone_it_decodes_at_the_rate_of_its_steps():
    at = times(run(SimulatedBatch(Timing(step_s=0.04, seq_s=0.01)), [(0, "a", 10, 5)]), "a")
    assert at == pytest.approx([0.04, 0.09, 0.14, 0.19, 0.24])


def test_a_prompt_costs_its_prefill_rate_and_delays_the_others_by_its_chunk():
    timing = Timing(step_s=0.01, prefill_tokens_per_s=1000, step_budget=128)
    at = times(run(SimulatedBatch(timing), [(0, "a", 1, 10), (0.05, "b", 1000, 1)]), "a")
    gaps = [later - earlier for earlier, later in pairwise(at)]
    assert max(gaps) == pytest.approx(0.01 + 0.127)


def test_the_first_token_has_a_floor():
    at = times(run(SimulatedBatch(Timing(step_s=0.01, first_token_s=0.035)), [(0, "a", 1, 2)]), "a")
    assert at == pytest.approx([0.04, 0.05])


def test_slots_are_never_exceeded_and_the_rest_waits():
    batch = SimulatedBatch(Timing(step_s=1, max_running=2))
    made = run(batch, [(0, "a", 1, 3), (0, "b", 1, 3), (0, "c", 1, 1)])
    assert times(made, "c") == [4.0]


def test_lower_priority_numbers_go_first():
    batch = SimulatedBatch(Timing(step_s=1, max_running=1))
    for order, priority in enumerate([5, 1, 3]):
        batch.add(f"p{priority}", 1, 1, float(order), priority)
    assert [id for id, _ in run(batch)] == ["p1", "p3", "p5"]


def test_over_the_kv_limit_the_worst_ranked_starts_again_and_loses_nothing():
    batch = SimulatedBatch(Timing(step_s=1, kv_tokens=40, step_budget=128))
    made = run(batch, [(0, "a", 10, 25), (0, "b", 10, 25)])
    assert batch.preemptions
    assert len(times(made, "a")) == len(times(made, "b")) == 25
    assert batch.kv_usage == 0


@given(
    st.lists(st.tuples(st.floats(0, 5), st.integers(1, 300), st.integers(1, 30)), min_size=1, max_size=12),
    st.integers(1, 8),
    st.integers(0, 200),
)
def test_every_sequence_makes_exactly_its_tokens(arrivals, slots, spare_kv):
    timing = Timing(
        step_s=0.05,
        seq_s=0.001,
        prefill_tokens_per_s=2000,
        step_budget=64,
        max_running=slots,
        kv_tokens=330 + spare_kv,
    )
    batch = SimulatedBatch(timing)
    made = run(batch, [(at, str(n), prompt, output) for n, (at, prompt, output) in enumerate(arrivals)])
    assert [len(times(made, str(n))) for n in range(len(arrivals))] == [output for _, _, output in arrivals]
    assert batch.idle
    assert batch.kv_usage == 0
