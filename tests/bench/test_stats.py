"""Order statistics against the standard library and against hand-made samples."""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import quantiles

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.stats import paired_ratio, percentile, spread

samples = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=60)


@given(samples)
def test_percentiles_are_the_standard_librarys(values):
    cuts = quantiles(values, n=100, method="inclusive")
    assert percentile(values, 95) == pytest.approx(cuts[94], rel=1e-9, abs=1e-6)
    assert percentile(values, 50) == pytest.approx(cuts[49], rel=1e-9, abs=1e-6)


@given(samples)
def test_percentiles_stay_inside_and_grow(values):
    ends = [percentile(values, p) for p in (0, 25, 50, 75, 100)]
    assert ends[0] == min(values)
    assert ends[-1] == max(values)
    assert all(a <= b + 1e-6 for a, b in pairwise(ends))


def test_nothing_has_no_percentile():
    assert math.isnan(percentile([], 95))
    assert spread([]) == {"n": 0}


def test_a_slow_spell_that_hits_both_sides_leaves_the_ratio():
    assert paired_ratio([95.0, 47.5, 9.5], [100.0, 50.0, 10.0]) == pytest.approx(0.95)


def test_unpaired_runs_are_refused():
    with pytest.raises(ValueError, match="2 and 1 runs"):
        paired_ratio([1.0, 2.0], [1.0])
