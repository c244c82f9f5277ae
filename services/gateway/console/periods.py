"""The days that a page with figures is about."""

from datetime import date, timedelta


def period(first: str | None, last: str | None, today: date, days: int) -> tuple[date, date]:
    """The first day and the day after the last one; so many days until today, unless it is said."""
    begin = date.fromisoformat(first) if first else None
    end = date.fromisoformat(last) if last else max(today, begin or today)
    until = end + timedelta(days=1)
    return begin or until - timedelta(days=days), until
