"""The pure rules: who pays, what applies, when a window ends, what a question costs."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatsite.quotas.grants import AvailableGrant, allocate, refunds, shortfall
from chatsite.quotas.limits import Limits
from chatsite.quotas.plans import UNLIMITED, PlanInForce, effective_limits
from chatsite.quotas.pricing import charge, reservation
from chatsite.quotas.windows import day_ends, day_of, month_ends

tokens = st.integers(min_value=0, max_value=10_000)


@given(tokens, st.lists(tokens, max_size=5))
def test_pots_pay_all_or_nothing_in_their_order(need: int, holds: list[int]) -> None:
    draws = allocate(need, [AvailableGrant(str(number), left) for number, left in enumerate(holds)])
    if draws is None:
        assert sum(holds) < need
        return
    assert sum(draws.values()) == need
    taken = [draws.get(str(number), 0) for number in range(len(holds))]
    assert all(part <= left for part, left in zip(taken, holds, strict=True))
    last = max((number for number, part in enumerate(taken) if part), default=0)
    assert taken[:last] == holds[:last], "what ends sooner is emptied first"


@given(st.lists(tokens, max_size=4), tokens, tokens)
def test_plan_pays_first_and_grants_get_back_first(parts: list[int], plan: int, spent: int) -> None:
    draws = {str(number): part for number, part in enumerate(parts) if part}
    drawn = sum(draws.values())
    back = refunds(plan + drawn, draws, spent)
    assert all(0 < -refund <= draws[grant] for grant, refund in back.items())
    assert drawn + sum(back.values()) == min(drawn, max(0, spent - plan))


@given(tokens, tokens, st.none() | tokens, tokens, st.none() | tokens)
def test_overdraft_is_what_makes_every_window_fit(need, day, day_limit, month, month_limit) -> None:
    windows = [(day + need, day_limit), (month + need, month_limit)]
    over = shortfall(need, windows)
    assert 0 <= over <= need
    for used, limit in ((day, day_limit), (month, month_limit)):
        if limit is not None and used <= limit:
            assert used + need - over <= limit


def test_own_plan_replaces_group_replaces_site() -> None:
    site = PlanInForce("site", "Default", Limits(tokens_per_day=10))
    group = PlanInForce("group", "Small", Limits(tokens_per_day=5), "interns")
    own = PlanInForce("user", "Boss", Limits(tokens_per_day=None))
    assert effective_limits([]) == UNLIMITED
    assert effective_limits([site]).tokens_per_day == 10
    assert effective_limits([site, group]).tokens_per_day == 5
    assert effective_limits([site, group, own]).tokens_per_day is None
    assert effective_limits([site, group]).why["tokens_per_day"] == "Small (group interns)"


def test_of_several_groups_each_limit_is_the_most_generous() -> None:
    limits = effective_limits(
        [
            PlanInForce("group", "A", Limits(tokens_per_day=5, max_output=None, weight=1), "a"),
            PlanInForce("group", "B", Limits(tokens_per_day=9, max_output=100, weight=2), "b"),
        ]
    )
    assert (limits.tokens_per_day, limits.max_output, limits.weight) == (9, None, 2)
    assert (limits.why["tokens_per_day"], limits.why["max_output"]) == ("B (group b)", "A (group a)")


numbers = st.none() | st.integers(min_value=1, max_value=100)
candidates = st.builds(
    PlanInForce,
    source=st.sampled_from(["user", "group", "site"]),
    name=st.sampled_from("ABC"),
    holder=st.sampled_from("xyz"),
    limits=st.builds(Limits, tokens_per_day=numbers, max_output=numbers),
)


@given(st.lists(candidates, max_size=6).flatmap(lambda c: st.tuples(st.just(c), st.permutations(c))))
def test_what_applies_does_not_depend_on_the_order(pair) -> None:
    one, other = (effective_limits(candidates) for candidates in pair)
    assert (one.tokens_per_day, one.max_output) == (other.tokens_per_day, other.max_output)


@pytest.mark.parametrize(
    ("moment", "zone", "day"),
    [
        (datetime(2026, 11, 22, 15, 59, tzinfo=UTC), "Asia/Shanghai", date(2026, 11, 22)),
        (datetime(2026, 11, 22, 16, 0, tzinfo=UTC), "Asia/Shanghai", date(2026, 11, 23)),
    ],
)
def test_the_day_is_the_sites(moment: datetime, zone: str, day: date) -> None:
    assert day_of(moment, ZoneInfo(zone)) == day


def test_windows_end_at_local_midnight_whatever_the_clocks_do() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert day_ends(date(2026, 10, 25), berlin).isoformat() == "2026-10-26T00:00:00+01:00"
    assert month_ends(date(2026, 12, 31), berlin).isoformat() == "2027-01-01T00:00:00+01:00"


def test_prices() -> None:
    assert reservation(10, 20) == 30
    assert charge("finished", 10, 5) == 15
    assert charge("cancelled", 10, 0) == 10
    assert charge("cancelled", 0, 0) == 0
    assert charge("failed", 10, 0) == 0
    assert charge("interrupted", 10, 1) == 11
