"""The chart's columns: one entry per day or month of the period, zeros where nothing was used."""

from __future__ import annotations

from datetime import UTC, date, datetime

from chatsite.quotas.reports import MOST_MONTHS, usage_chart


def row(day: date) -> dict[str, object]:
    return {"day": day, "prompt_tokens": 5, "completion_tokens": 2}


def days_of(chart: dict[str, list[int]]) -> list[str]:
    return [datetime.fromtimestamp(at, UTC).date().isoformat() for at in chart["at"]]


def test_days_without_use_are_zeros_in_their_place() -> None:
    chart = usage_chart([row(date(2026, 3, 1))], date(2026, 2, 27), date(2026, 3, 2))
    assert days_of(chart) == ["2026-02-27", "2026-02-28", "2026-03-01", "2026-03-02"]
    assert (chart["read"], chart["written"]) == ([0, 0, 5, 0], [0, 0, 2, 0])


def test_so_are_months_over_the_turn_of_a_year() -> None:
    chart = usage_chart([row(date(2027, 1, 1))], date(2026, 11, 20), date(2027, 2, 3), "month")
    assert days_of(chart) == ["2026-11-01", "2026-12-01", "2027-01-01", "2027-02-01"]
    assert chart["read"] == [0, 0, 5, 0]


def test_a_period_without_measure_is_shown_from_the_first_use_to_the_last() -> None:
    rows = [row(date(2026, 1, 1)), row(date(2026, 3, 1))]
    chart = usage_chart(rows, date.min, date.max, "month")
    assert days_of(chart) == ["2026-01-01", "2026-02-01", "2026-03-01"]
    assert len(usage_chart([], date.min, date.max, "month")["at"]) <= MOST_MONTHS
