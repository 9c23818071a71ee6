from datetime import UTC, date, datetime

from shelfops.reports.period import Period


def test_it_compares_with_as_many_days_immediately_before() -> None:
    period = Period(date(2026, 3, 1), date(2026, 3, 28))
    assert period.days == 28
    assert period.before == Period(date(2026, 2, 1), date(2026, 2, 28))


def test_it_compares_a_day_with_the_day_before() -> None:
    assert Period(date(2026, 1, 1), date(2026, 1, 1)).before == Period(
        date(2025, 12, 31), date(2025, 12, 31)
    )


def test_it_compares_with_the_same_weekdays_last_year() -> None:
    period = Period(date(2028, 2, 28), date(2028, 3, 5))
    assert period.year_before == Period(date(2027, 3, 1), date(2027, 3, 7))
    assert period.year_before.start.weekday() == period.start.weekday()


def test_it_ends_on_the_day_that_is_asked_for() -> None:
    assert Period.ending(date(2026, 3, 7), 7) == Period(date(2026, 3, 1), date(2026, 3, 7))


def test_it_reaches_a_utc_day_further_on_both_sides() -> None:
    period = Period(date(2026, 3, 1), date(2026, 3, 7))
    assert period.since == datetime(2026, 2, 28, tzinfo=UTC)
    assert period.until == datetime(2026, 3, 9, tzinfo=UTC)
