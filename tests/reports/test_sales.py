from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from inventory.models import StoreAssignment
from shelfops.reports.period import Period
from shelfops.tenancy.context import tenant
from tests.cast import Cast
from tests.reports.shop import YESTERDAY, Shop, file_rows, sheet_rows, text

URL = reverse("reports:sales")
BREAKDOWNS = ["day", "week", "month", "hour", "store", "department", "category", "product"]


def ago(days: int) -> date:
    return YESTERDAY - timedelta(days=days)


def get(client_of, user, **query):
    return client_of(user).get(URL, query)


def report(client_of, user, **query) -> list[dict[str, str]]:
    return file_rows(get(client_of, user, format="csv", **query))


@pytest.fixture
def season(cast: Cast, shop: Shop) -> Shop:
    """Sixty days of two stores and three products, with a return."""
    bread = shop.product("BREAD-1", "Bread", category="Bakery")
    nameless = shop.product("X-1", "=cmd|'/c calc'!A1")
    for back in range(60):
        shop.sell(cast.store, cast.product, ago(back), 1 + back % 3, "2.50")
        if back % 2:
            shop.sell(cast.unassigned_store, bread, ago(back), "0.5", "1.25")
    shop.sell(cast.store, nameless, ago(3), 2, "9.99")
    shop.sell(cast.store, cast.product, ago(2), -2, "-5.00")
    shop.refresh()
    return shop


def money(amount: Decimal) -> str:
    return f"{amount:.2f}"


def test_it_adds_up_each_business_day(cast, client_of, season):
    *days, total = report(client_of, cast.admin, period="28")
    assert [row["Business day"] for row in days] == [str(ago(27 - n)) for n in range(28)]
    for row in days:
        day = date.fromisoformat(row["Business day"])
        before = day - timedelta(days=28)
        assert row["Compared with"] == str(before)
        assert row["Revenue (USD)"] == money(season.total("amount", day, day))
        assert row["Revenue before (USD)"] == money(season.total("amount", before, before))
        assert Decimal(row["Units"]) == season.total("units", day, day)
    assert total["Revenue (USD)"] == money(season.total("amount", ago(27), ago(0)))
    assert total["Revenue before (USD)"] == money(season.total("amount", ago(55), ago(28)))
    assert Decimal(total["Units"]) == season.total("units", ago(27), ago(0))


@pytest.fixture
def two_years(cast: Cast, season: Shop) -> Shop:
    """The season, and last year's sales of the same weekdays and of the days beside them."""
    for back in range(362, 395):
        season.sell(cast.store, cast.product, ago(back), 1, 7 * back)
    season.refresh()
    return season


def test_it_compares_with_the_same_weekdays_last_year(cast, client_of, two_years):
    *days, total = report(client_of, cast.admin, period="28", compare="year")
    for row in days:
        day = date.fromisoformat(row["Business day"])
        year_before = date.fromisoformat(row["Compared with"])
        assert (day - year_before).days == 364
        assert day.weekday() == year_before.weekday()
        assert row["Revenue (USD)"] == money(two_years.total("amount", day, day))
        expected = money(two_years.total("amount", year_before, year_before))
        assert row["Revenue last year (USD)"] == expected
    expected = money(two_years.total("amount", ago(391), ago(364)))
    assert total["Revenue last year (USD)"] == expected


@pytest.mark.parametrize("by", BREAKDOWNS)
def test_its_breakdowns_agree_on_last_year(cast, client_of, two_years, by):
    *rows, total = report(client_of, cast.admin, period="28", by=by, compare="year")
    for label in ("Revenue (USD)", "Revenue last year (USD)", "Units", "Units last year"):
        assert sum(Decimal(row[label]) for row in rows) == Decimal(total[label])
    expected = money(two_years.total("amount", ago(391), ago(364)))
    assert total["Revenue last year (USD)"] == expected


def test_it_counts_days_of_both_periods_in_both(cast, client_of, two_years):
    """366 days and the same weekdays last year have two days in common."""
    query = {"start": ago(365), "end": ago(0), "compare": "year"}
    *rows, total = report(client_of, cast.admin, **query)
    assert len(rows) == 366
    assert total["Revenue (USD)"] == money(two_years.total("amount", ago(365), ago(0)))
    expected = money(two_years.total("amount", ago(729), ago(364)))
    assert total["Revenue last year (USD)"] == expected


def test_it_says_what_it_compares_with(cast, client_of, two_years):
    response = get(client_of, cast.admin, period="7", compare="year")
    assert f"against {Period(ago(370), ago(364))}" in text(response)
    assert [series["label"] for series in response.context["charts"][0]["series"]] == [
        "Revenue",
        "Last year",
    ]


def test_it_shows_the_change_in_percent(cast, client_of, shop):
    shop.sell(cast.store, cast.product, ago(0), 3, "150.00")
    shop.sell(cast.store, cast.product, ago(7), 4, "120.00")
    shop.refresh()
    *days, total = report(client_of, cast.admin, period="7")
    assert total["Revenue change (%)"] == "25.0"
    assert total["Units change (%)"] == "-25.0"
    assert days[0]["Revenue change (%)"] == ""


@pytest.mark.parametrize("by", BREAKDOWNS)
def test_its_breakdowns_agree_with_the_total(cast, client_of, season, by):
    *rows, total = report(client_of, cast.admin, period="28", by=by)
    for label in ("Revenue (USD)", "Revenue before (USD)", "Units", "Units before"):
        assert sum(Decimal(row[label]) for row in rows) == Decimal(total[label])
    assert total["Revenue (USD)"] == money(season.total("amount", ago(27), ago(0)))
    assert total["Revenue before (USD)"] == money(season.total("amount", ago(55), ago(28)))


def test_it_adds_up_each_store(cast, client_of, season):
    *rows, _ = report(client_of, cast.admin, period="28", by="store")
    assert {row["Store"]: row["Revenue (USD)"] for row in rows} == {
        store.name: money(season.total("amount", ago(27), ago(0), store=store))
        for store in (cast.store, cast.unassigned_store)
    }


def test_it_adds_up_each_category(cast, client_of, season):
    *rows, _ = report(client_of, cast.admin, period="28", by="category")
    expected: dict[str, Decimal] = {}
    for sale in season.sales:
        if ago(27) <= sale.day:
            name = sale.product.category or "No category"
            expected[name] = expected.get(name, Decimal(0)) + sale.amount
    assert {row["Category"]: Decimal(row["Revenue (USD)"]) for row in rows} == expected


def test_its_groups_follow_the_catalogue(cast, client_of, season):
    """Also of days that were summed up before the product was moved, and back again."""

    def groups(by: str, **query) -> dict[str, str]:
        *rows, total = report(client_of, cast.admin, period="28", by=by, **query)
        amounts = [Decimal(row["Revenue (USD)"]) for row in rows]
        assert sum(amounts) == Decimal(total["Revenue (USD)"])
        return {row[by.title()]: row["Revenue (USD)"] for row in rows}

    def move(department: str, category: str) -> None:
        with tenant(cast.customer):
            cast.product.department, cast.product.category = department, category
            cast.product.save()

    milk = money(season.total("amount", ago(27), ago(0), product=cast.product))
    bread = money(season.total("amount", ago(27), ago(0)) - Decimal(milk) - Decimal("9.99"))
    both = money(Decimal(milk) + Decimal(bread))
    before = groups("department"), groups("category")
    assert before[1]["Dairy"] == milk
    move("Cold", "Chilled")
    for query in ({}, {"store": cast.store.pk}):
        assert groups("department", **query)["Cold"] == milk
        after = groups("category", **query)
        assert after["Chilled"] == milk
        assert "Dairy" not in after  # nothing is left of it
    assert groups("category", department="Cold") == {"Chilled": milk}
    move("Cold", "Bakery")
    assert groups("department")["Cold"] == milk
    assert groups("category")["Bakery"] == both
    move("Cold", "Dairy")
    assert groups("department")["Cold"] == milk
    assert groups("category") == before[1]
    move("", "Dairy")
    assert (groups("department"), groups("category")) == before


def test_it_adds_up_the_best_products_and_the_rest(cast, client_of, shop):
    products = [shop.product(f"P{n:02}") for n in range(25)]
    for n, product in enumerate(products):
        shop.sell(cast.store, product, ago(n % 5), 1, 100 + n)
        shop.sell(cast.store, product, ago(7), 2, 10 + n)
    shop.sell(cast.store, shop.product("GONE"), ago(8), 1, 1000)
    shop.refresh()
    *best, rest, total = report(client_of, cast.admin, period="7", by="product", top="20")
    assert [row["SKU"] for row in best] == [f"P{n:02}" for n in range(24, 4, -1)]
    assert best[0]["Revenue before (USD)"] == "34.00"
    assert rest["Product"] == "All other products"
    assert rest["Revenue (USD)"] == money(Decimal(sum(range(100, 105))))
    assert rest["Revenue before (USD)"] == money(Decimal(sum(range(10, 15)) + 1000))
    assert rest["Units"] == "5"
    assert total["Revenue (USD)"] == money(shop.total("amount", ago(6), ago(0)))


def test_it_counts_the_day_of_the_store_not_of_utc(cast, client_of, shop):
    """New York's evening is the next day in UTC, and Auckland's morning the day before."""
    auckland = shop.store("AKL", time_zone="Pacific/Auckland")
    late = shop.sell(cast.store, cast.product, ago(2), 1, "10.00", clock="23:30")
    early = shop.sell(auckland, cast.product, ago(2), 1, "20.00", clock="00:30")
    shop.refresh()
    assert late.at.date() == ago(1)
    assert early.at.date() == ago(3)
    days = report(client_of, cast.admin, start=ago(2), end=ago(2))
    assert [row["Revenue (USD)"] for row in days] == ["30.00", "30.00"]
    days = report(client_of, cast.admin, start=ago(1), end=ago(1))
    assert days[-1]["Revenue (USD)"] == "0.00"
    assert days[-1]["Revenue before (USD)"] == "30.00"


def test_it_counts_every_hour_of_a_clock_change_day(cast, client_of, shop):
    """New York's last day of summer time within the past year has 25 hours."""
    year = YESTERDAY.year
    changes = [_first_sunday_of_november(year), _first_sunday_of_november(year - 1)]
    day = next(change for change in changes if change <= YESTERDAY)
    for clock in ("00:00", "00:59", "01:30", "23:59"):
        shop.sell(cast.store, cast.product, day, 1, "1.00", clock=clock)
    shop.sell(cast.store, cast.product, day + timedelta(days=1), 1, "7.00", clock="00:00")
    shop.refresh()
    rows = report(client_of, cast.admin, start=day, end=day)
    assert rows[0]["Revenue (USD)"] == "4.00"


def _first_sunday_of_november(year: int) -> date:
    first = date(year, 11, 1)
    return first + timedelta(days=(6 - first.weekday()) % 7)


def test_it_subtracts_returns(cast, client_of, shop):
    shop.sell(cast.store, cast.product, ago(0), 3, "30.00")
    shop.sell(cast.store, cast.product, ago(0), -1, "-10.00")
    shop.refresh()
    total = report(client_of, cast.admin, period="7")[-1]
    assert (total["Revenue (USD)"], total["Units"]) == ("20.00", "2")


def test_it_ends_with_the_last_day_that_has_sales(cast, client_of, shop):
    shop.sell(cast.store, cast.product, ago(5), 1, "1.00")
    shop.refresh()
    response = get(client_of, cast.admin)
    assert response.status_code == 200
    assert file_rows(get(client_of, cast.admin, format="csv"))[-2]["Business day"] == str(ago(5))
    assert "The latest sales received are of" in text(response)


def test_it_leaves_out_today_which_is_not_over(cast, client_of, shop):
    shop.sell(cast.store, cast.product, ago(0), 1, "1.00")
    shop.sell(cast.store, cast.product, datetime.now(UTC).date() + timedelta(days=1), 1, "5.00")
    shop.refresh()
    total = report(client_of, cast.admin)[-1]
    assert total["Revenue (USD)"] == "1.00"


@pytest.mark.parametrize("by", BREAKDOWNS)
def test_it_shows_a_manager_the_assigned_stores_only(cast, client_of, season, by):
    own = money(season.total("amount", ago(27), ago(0), store=cast.store))
    assert report(client_of, cast.manager, period="28", by=by)[-1]["Revenue (USD)"] == own
    page = text(get(client_of, cast.manager, period="28", by=by))
    assert cast.store.name in page
    assert cast.unassigned_store.name not in page
    assert str(cast.unassigned_store.pk) not in page


@pytest.mark.parametrize("by", BREAKDOWNS)
def test_it_shows_nothing_to_a_manager_without_a_store(cast, client_of, season, by):
    with tenant(cast.customer):
        StoreAssignment.objects.filter(user=cast.manager).delete()
    response = get(client_of, cast.manager, by=by)
    assert "No store is assigned to you" in text(response)
    for row in report(client_of, cast.manager, by=by):
        assert row["Revenue (USD)"] == "0.00"


def test_it_limits_the_figures_to_the_chosen_store(cast, client_of, season):
    for by in BREAKDOWNS:
        total = report(client_of, cast.admin, period="28", by=by, store=cast.store.pk)[-1]
        expected = season.total("amount", ago(27), ago(0), store=cast.store)
        assert total["Revenue (USD)"] == money(expected)


@pytest.mark.parametrize("which", ["unassigned_store", "other_store"])
def test_it_refuses_a_store_that_the_user_may_not_see(cast, client_of, season, which):
    store = getattr(cast, which)
    response = get(client_of, cast.manager, store=store.pk)
    assert response.status_code == 200
    assert "store" in response.context["form"].errors
    assert "Revenue (USD)" not in text(response)
    assert get(client_of, cast.manager, store=store.pk, format="csv").status_code == 400


@pytest.mark.parametrize(
    ("field", "query"),
    [
        ("end", {"start": "2026-03-02", "end": "2026-03-01"}),
        ("end", {"start": "2025-01-01", "end": "2026-03-01"}),
        ("end", {"start": "2026-03-01", "end": "9999-12-31"}),
        ("start", {"start": "0001-01-01", "end": "2026-03-01"}),
        ("start", {"start": "0001-01-01", "end": "0001-01-02"}),
        ("start", {"start": "yesterday", "end": "2026-03-01"}),
        ("start", {"start": "2026-02-30", "end": "2026-03-01"}),
        ("start", {"start": "\x00", "end": "2026-03-01"}),
        ("end", {"start": "2026-03-01"}),
        ("start", {"end": "2026-03-01"}),
        ("period", {"period": "1000000"}),
        ("period", {"period": "x"}),
        ("by", {"by": "weather"}),
        ("compare", {"compare": "never"}),
        ("by", {"by": "hour", "category": "Dairy"}),
        ("category", {"category": "Weather"}),
        ("department", {"department": "\x00"}),
        ("product", {"product": "not-a-uuid"}),
        ("product", {"product": "00000000-0000-0000-0000-000000000000"}),
        ("top", {"top": "-1"}),
        ("store", {"store": "not-a-uuid"}),
        ("store", {"store": "00000000-0000-0000-0000-000000000000"}),
    ],
)
def test_it_shows_a_wrong_filter_at_its_field(cast, client_of, field, query):
    response = get(client_of, cast.admin, **query)
    assert response.status_code == 200
    assert list(response.context["form"].errors) == [field]
    page = text(response)
    assert 'class="report-error"' in page
    assert "<tbody>" not in page
    assert get(client_of, cast.admin, format="csv", **query).status_code == 400


def test_it_says_what_to_do_when_there_are_no_sales(cast, client_of):
    assert "No sales were received yet" in text(get(client_of, cast.admin))


@pytest.mark.parametrize("by", BREAKDOWNS)
def test_its_file_holds_what_the_page_shows(cast, client_of, season, by):
    client = client_of(cast.admin)
    page = client.get(URL, {"by": by, "period": "28"})
    table = page.context["table"]
    written = file_rows(client.get(URL, {"by": by, "period": "28", "format": "csv"}))
    assert list(written[0]) == [column.label for column in table.columns]
    assert len(written) == len(list(table.body())) + 1
    shown = text(page)
    for row in written:
        assert f"{Decimal(row['Revenue (USD)']):,.2f}" in shown


@pytest.mark.parametrize("by", BREAKDOWNS)
def test_its_workbook_holds_what_the_file_holds(cast, client_of, season, by):
    rows = report(client_of, cast.admin, period="28", by=by)
    sheet = sheet_rows(get(client_of, cast.admin, period="28", by=by, format="xlsx"))
    assert len(sheet) == len(rows)
    for cells, row in zip(sheet, rows, strict=True):
        assert list(cells) == list(row)
        assert [_as_in_csv(value) for value in cells.values()] == [
            _number(text) for text in row.values()
        ]


def _as_in_csv(value: object) -> object:
    if isinstance(value, datetime):
        return str(value.date())
    if isinstance(value, int | float):
        return Decimal(str(value))
    return value or ""


def _number(text: str) -> object:
    try:
        return Decimal(text)
    except InvalidOperation:
        return text.removeprefix("'")


def test_it_neutralises_formulas_in_the_file(cast, client_of, season):
    rows = report(client_of, cast.admin, period="28", by="product")
    assert "'=cmd|'/c calc'!A1" in [row["Product"] for row in rows]


def test_it_has_the_figures_of_the_chart_in_the_table(cast, client_of, season):
    response = get(client_of, cast.admin, period="28")
    revenue, units = response.context["charts"]
    rows = list(response.context["table"].rows)
    assert revenue["series"][0]["values"] == [float(row["revenue"]) for row in rows]
    assert units["series"][1]["values"] == [float(row["units_before"]) for row in rows]


PAGES = [
    *({"by": by} for by in (*BREAKDOWNS, "movers")),
    *({"by": by, "figures": "margin"} for by in BREAKDOWNS if by != "hour"),
    {"by": "movers", "of": "category", "measure": "units"},
]


def test_its_number_of_queries_is_constant(cast, client_of, season):
    def queries() -> list[int]:
        client = client_of(cast.admin)
        counts = []
        for page in PAGES:
            with CaptureQueriesContext(connection) as captured:
                assert client.get(URL, {"period": "90", **page}).status_code == 200
            counts.append(len(captured))
        return counts

    few = queries()
    assert max(few) <= 30
    for n in range(15):
        product = season.product(f"NEW-{n}", category=f"New {n}")
        season.sell(season.store(f"N{n}"), product, ago(n), 1, "1.00")
    season.refresh()
    assert queries() == few


def test_it_is_for_those_who_may_read_it(cast, client_of, client):
    assert client.get(URL).status_code == 302
    assert get(client_of, cast.staff).status_code == 403
    assert get(client_of, cast.operator).status_code == 403
    assert get(client_of, cast.outsider).status_code == 200
