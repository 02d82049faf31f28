"""Budget windows: the day and the month of the site's time zone. Pure; the clock is an argument."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, tzinfo


def day_of(now: datetime, zone: tzinfo) -> date:
    """The site's date at an aware moment."""
    return now.astimezone(zone).date()


def month_of(day: date) -> date:
    """The first day of a day's month."""
    return day.replace(day=1)


def next_month(day: date) -> date:
    """The first day of the month after."""
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)


def day_ends(day: date, zone: tzinfo) -> datetime:
    """When the day's budget is new again."""
    return _begins(day + timedelta(days=1), zone)


def month_ends(day: date, zone: tzinfo) -> datetime:
    """When the month's budget is new again."""
    return _begins(next_month(day), zone)


def _begins(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time.min, tzinfo=zone)
