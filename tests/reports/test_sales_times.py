"""The sales report by week, month and hour of the week."""

from calendar import day_abbr
from collections import defaultdict
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

import pytest

from shelfops.reports.heat import Heatmap, short
from tests.cast import Cast
from tests.reports.shop import YESTERDAY, Shop, text
from tests.reports.test_sales import ago, get, money, report


@pytest.fixture
def season(cast: Cast, shop: Shop) -> Shop:
    """Seventy days of two stores, one in New York and one in UTC, at all hours."""
    for back in range(70):
        shop.sell(cast.store, cast.product, ago(back), 1, 10 + back, f"{back % 24:02}:30")
        shop.sell(cast.unassigned_store, cast.product, ago(back), 2, 100 + back, "23:59")
    shop.sell(cast.store, cast.product, ago(3), -1, "-4.00", "00:00")
    shop.refresh()
    return shop


def spans_of(start: date, end: date, key) -> dict[object, list[date]]:
    spans = defaultdict(list)
    for n in range((end - start).days + 1):
        spans[key(start + timedelta(days=n))].append(start + timedelta(days=n))
    return spans


@pytest.mark.parametrize("compare", ["before", "year"])
@pytest.mark.parametrize(
    ("by", "key"),
    [
        ("week", lambda day: day.isocalendar()[:2]),
        ("month", lambda day: (day.year, day.month)),
    ],
)
def test_it_adds_up_each_week_and_month_within_the_period(
    cast, client_of, season, by, key, compare
):
    start, end = ago(33), ago(1)
    back = timedelta(days=33 if compare == "before" else 364)
    label = "before" if compare == "before" else "last year"
    *rows, total = report(client_of, cast.admin, by=by, start=start, end=end, compare=compare)
    spans = list(spans_of(start, end, key).values())
    assert [(row["From"], row["To"]) for row in rows] == [
        (str(days[0]), str(days[-1])) for days in spans
    ]
    for row, days in zip(rows, spans, strict=True):
        first, last = days[0], days[-1]
        assert int(row["Days"]) == len(days)
        assert row["Revenue (USD)"] == money(season.total("amount", first, last))
        assert Decimal(row["Units"]) == season.total("units", first, last)
        before = money(season.total("amount", first - back, last - back))
        assert row[f"Revenue {label} (USD)"] == before
    assert total["Days"] == "33"
    assert total["Revenue (USD)"] == money(season.total("amount", start, end))


def by_hour(shop: Shop, start: date, end: date) -> dict[tuple[str, str], Decimal]:
    """What the stores' clocks showed, worked out from each sale's moment."""
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for sale in shop.sales:
        if start <= sale.day <= end:
            local = sale.at.astimezone(ZoneInfo(sale.store.time_zone))
            sums[day_abbr[sale.day.weekday()], f"{local.hour:02}:00"] += sale.amount
    return sums


def test_it_adds_up_each_hour_of_the_week(cast, client_of, season):
    kathmandu = season.store("KTM", time_zone="Asia/Kathmandu")
    for clock in ("00:00", "00:14", "11:59", "12:00"):
        season.sell(kathmandu, cast.product, ago(5), 1, "3.00", clock)
    season.refresh()
    *rows, total = report(client_of, cast.admin, by="hour", start=ago(29), end=ago(0))
    assert len(rows) == 168
    assert [row["Weekday"] for row in rows[::24]] == list(day_abbr)
    expected = by_hour(season, ago(29), ago(0))
    before = by_hour(season, ago(59), ago(30))
    for row in rows:
        hour = row["Weekday"], row["From"]
        assert row["Revenue (USD)"] == money(expected[hour])
        assert row["Revenue before (USD)"] == money(before[hour])
        days = sum(day_abbr[ago(n).weekday()] == row["Weekday"] for n in range(30))
        assert int(row["Days"]) == days
        each = (expected[hour] / days).quantize(Decimal("0.01"), ROUND_HALF_UP)
        assert row["Revenue a day (USD)"] == money(each)
    assert total["Revenue (USD)"] == money(season.total("amount", ago(29), ago(0)))
    assert (total["Days"], total["Revenue a day (USD)"]) == ("30", "")


def test_it_puts_the_hours_of_clock_changes_where_the_clock_stood(cast, client_of, shop):
    """In New York's spring 03:30 follows 01:30; in its autumn 01:30 comes twice."""
    days = [YESTERDAY - timedelta(days=n) for n in range(366)]
    sundays = [day for day in days if day.weekday() == 6]
    spring = next(day for day in sundays if day.month == 3 and 8 <= day.day <= 14)
    autumn = next(day for day in sundays if day.month == 11 and day.day <= 7)
    for day in (spring, autumn):
        for clock in ("00:30", "01:30", "03:30", "23:30"):
            shop.sell(cast.store, cast.product, day, 1, "5.00", clock)
    again = shop.sell(cast.store, cast.product, autumn, 1, "2.00", "01:30")
    assert again.at.hour == 5
    shop.refresh()
    for day, half_past_one in ((spring, "5.00"), (autumn, "7.00")):
        rows = report(client_of, cast.admin, by="hour", start=day, end=day)[:-1]
        sold = {row["From"]: row["Revenue (USD)"] for row in rows if row["Units"] != "0"}
        assert sold == {
            "00:00": "5.00",
            "01:00": half_past_one,
            "03:00": "5.00",
            "23:00": "5.00",
        }


def test_it_has_no_average_of_a_weekday_without_days(cast, client_of, season):
    *rows, _ = report(client_of, cast.admin, by="hour", start=ago(1), end=ago(0))
    shown = {row["Weekday"] for row in rows if row["Revenue a day (USD)"]}
    assert shown == {day_abbr[ago(n).weekday()] for n in (0, 1)}


def test_it_shows_a_manager_the_hours_of_the_assigned_stores_only(cast, client_of, season):
    total = report(client_of, cast.manager, by="hour", period="28")[-1]
    expected = money(season.total("amount", ago(27), ago(0), store=cast.store))
    assert total["Revenue (USD)"] == expected


def test_its_heat_map_is_made_of_the_rows(cast, client_of, season):
    response = get(client_of, cast.admin, by="hour", period="28")
    heat, rows = response.context["heat"], list(response.context["table"].rows)
    assert [len(values) for values in heat.values] == [7] * 24
    assert {(row["clock"], row["day_name"]): row["average"] for row in rows} == {
        (clock, day): value
        for clock, values in zip(heat.labels, heat.values, strict=True)
        for day, value in zip(heat.columns, values, strict=True)
    }
    assert "Average revenue by hour of the week" in text(response)


def test_it_colours_by_what_was_sold_most():
    values = [[Decimal(0), None, Decimal(-1)], [Decimal(1), Decimal(50), Decimal(100)]]
    heat = Heatmap("Title", "USD", ["A", "B", "C"], ["x", "y"], values)
    found = [[cell.css for cell in row.cells] for row in heat.rows()]
    assert found == [["heat-0"] * 3, ["heat-1", "heat-5", "heat-8"]]


def test_it_writes_figures_short():
    found = [short(value) for value in (None, Decimal("950.4"), Decimal(1234), Decimal(-2500000))]
    assert found == ["", "950", "1.2k", "-2.5M"]
