"""Point-of-sale lines: placed, refused with a reason, and never twice."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db.utils import DatabaseError

from inventory.models import Product, Store
from sales.ingest import TRANSACTIONS
from shelfops.ingestion import feeds
from shelfops.ingestion.feeds import Source, load
from shelfops.ingestion.models import ImportBatch, RefusedRow
from shelfops.ingestion.undo import undo
from shelfops.tenancy.context import tenant
from shelfops.timescale.refresh import refresh_requested
from tests.cast import Cast
from tests.ingestion.feeding import FILE, days_ago, load_sales, outcome, query, records, sale

LINES = """
SELECT store_id, product_id, sold_at, business_date, receipt, line,
       quantity, unit_price, total_amount
FROM transactions ORDER BY receipt, line
"""


def test_it_places_a_line_on_the_stores_trading_day(cast: Cast) -> None:
    late = days_ago(3, hour=2)  # still the evening before in New York
    batch = load_sales(cast.customer, sale(cast, sold_at=late))
    assert outcome(batch) == (1, 1, 0, 0)
    assert query(cast.customer, LINES) == [
        (cast.store.pk, cast.product.pk, late, late.date() - timedelta(days=1), "R1", 1)
        + (Decimal("2.000"), Decimal("1.5000"), Decimal("3.00"))
    ]


def test_it_keeps_what_it_refuses_with_field_and_reason(cast: Cast) -> None:
    bad = [
        (sale(cast, store="nowhere"), "store", "unknown store"),
        (sale(cast, store=None), "store", "unknown store"),
        (sale(cast, product="nothing"), "product", "unknown product"),
        (sale(cast, sold_at=None), "sold_at", "no time"),
        (sale(cast, sold_at=days_ago(-1)), "sold_at", "in the future"),
        (sale(cast, sold_at=days_ago(735)), "sold_at", "older than the two years that are kept"),
        (sale(cast, receipt=""), "receipt", "no receipt"),
        (sale(cast, receipt="x" * 65), "receipt", "longer than 64 characters"),
        (sale(cast, line=None), "line", "no line"),
        (sale(cast, quantity=None), "quantity", "no quantity"),
        (sale(cast, quantity="99999999999.999"), "quantity", "beyond the limit of 1,000,000"),
        (sale(cast, quantity="-1000000.001"), "quantity", "beyond the limit of 1,000,000"),
        (sale(cast, quantity="NaN"), "quantity", "beyond the limit of 1,000,000"),
        (sale(cast, total_amount=None), "total_amount", "no amount"),
        (sale(cast, total_amount="1e12"), "total_amount", "beyond the limit of 1,000,000,000"),
        (
            sale(cast, quantity="0.001", total_amount="9e8"),
            "unit_price",
            "beyond the limit of 100,000,000",
        ),
        (sale(cast, quantity="0", total_amount="0.001"), "quantity", "quantity 0 without value"),
    ]
    batch = load_sales(cast.customer, sale(cast), *(row for row, _, _ in bad))
    assert outcome(batch) == (18, 1, 0, 17)
    with tenant(cast.customer):
        kept = list(RefusedRow.objects.values_list("line_number", "field", "reason"))
        content = RefusedRow.objects.get(line_number=2).content
    assert kept == [(line, field, why) for line, (_, field, why) in enumerate(bad, 2)]
    assert content["store"] == "nowhere"
    assert content["total_amount"] == 3


def test_it_takes_returns_coupons_and_weighed_goods(cast: Cast) -> None:
    batch = load_sales(
        cast.customer,
        sale(cast, receipt="return", quantity="-1", total_amount="-1.50"),
        sale(cast, receipt="value without quantity", quantity="0", total_amount="0.50"),
        sale(cast, receipt="weighed", quantity="0.3456", total_amount="2.10"),
        sale(cast, receipt="with price", unit_price="1.75"),
    )
    assert outcome(batch) == (4, 4, 0, 0)
    assert [row[6:] for row in query(cast.customer, LINES)] == [
        (Decimal("-1.000"), Decimal("1.5000"), Decimal("-1.50")),
        (Decimal("0.000"), Decimal("0.5000"), Decimal("0.50")),
        (Decimal("0.346"), Decimal("6.0694"), Decimal("2.10")),
        (Decimal("2.000"), Decimal("1.7500"), Decimal("3.00")),
    ]


def test_it_adds_nothing_when_loaded_again(cast: Cast) -> None:
    rows = [sale(cast), sale(cast, line=2), sale(cast, store="nowhere")]
    first = load_sales(cast.customer, *rows)
    again = load_sales(cast.customer, *rows)
    assert outcome(first) == (3, 2, 0, 1)
    assert outcome(again) == (3, 0, 2, 1)
    assert len(query(cast.customer, LINES)) == 2
    with tenant(cast.customer):
        assert RefusedRow.objects.get().batch_id == again.pk


def test_it_counts_a_line_that_stands_twice_in_a_file_once(cast: Cast) -> None:
    batch = load_sales(cast.customer, sale(cast), sale(cast))
    assert outcome(batch) == (2, 1, 1, 0)


def test_it_finds_nothing_of_another_customer(cast: Cast) -> None:
    with tenant(cast.other_customer):
        Store.objects.create(code="theirs", name="Theirs")
        Product.objects.create(sku="theirs", name="Theirs")
    batch = load_sales(cast.customer, sale(cast, store="theirs"), sale(cast, product="theirs"))
    assert outcome(batch) == (2, 0, 0, 2)
    assert query(cast.other_customer, LINES) == []
    with tenant(cast.other_customer):
        assert not ImportBatch.objects.exists()
        assert not RefusedRow.objects.exists()


def test_it_places_the_same_codes_with_each_customer(cast: Cast) -> None:
    theirs = sale(cast, store=cast.other_store.code, product=cast.other_product.sku)
    load_sales(cast.customer, sale(cast))
    load_sales(cast.other_customer, theirs)
    [ours] = query(cast.customer, LINES)
    [other] = query(cast.other_customer, LINES)
    assert ours[:2] == (cast.store.pk, cast.product.pk)
    assert other[:2] == (cast.other_store.pk, cast.other_product.pk)


def sundays(month: int) -> list[date]:
    """The Sundays of that month of last year."""
    first = date(datetime.now(UTC).year - 1, month, 1)
    days = (first + timedelta(days=number) for number in range(31))
    return [day for day in days if day.month == month and day.weekday() == 6]


@pytest.mark.parametrize(
    ("day", "clock", "utc"),
    [
        (sundays(3)[1], "01:30", "06:30"),
        (sundays(3)[1], "03:30", "07:30"),
        (sundays(11)[0], "00:30", "04:30"),
        (sundays(11)[0], "01:30", "05:30"),  # twice: the first of the two
        (sundays(11)[0], "02:30", "07:30"),
    ],
)
def test_it_reads_a_stores_clock_when_the_clocks_change(
    cast: Cast, day: date, clock: str, utc: str
) -> None:
    local = datetime.fromisoformat(f"{day} {clock}")  # noqa: DTZ007
    load_sales(cast.customer, sale(cast, sold_at=None, local_time=local))
    [row] = query(cast.customer, LINES)
    assert row[2] == datetime.fromisoformat(f"{day} {utc}+00:00")
    assert row[3] == day


def test_it_refuses_a_time_that_the_clocks_skip(cast: Cast) -> None:
    local = datetime.fromisoformat(f"{sundays(3)[1]} 02:30")  # noqa: DTZ007
    batch = load_sales(cast.customer, sale(cast, sold_at=None, local_time=local))
    assert outcome(batch) == (1, 0, 0, 1)
    with tenant(cast.customer):
        refused = RefusedRow.objects.get()
    assert (refused.field, refused.reason) == ("sold_at", "the clocks skipped this time")


def test_it_reads_a_moved_time_that_the_clocks_skip_an_hour_later(cast: Cast) -> None:
    local = datetime.fromisoformat(f"{sundays(3)[1]} 02:30")  # noqa: DTZ007
    moved = Source("moved", "1" * 64, "tests", moved=True)
    load_sales(cast.customer, sale(cast, sold_at=None, local_time=local), source=moved)
    [row] = query(cast.customer, LINES)
    assert row[2] == datetime.fromisoformat(f"{sundays(3)[1]} 07:30+00:00")


@pytest.mark.parametrize(("zone", "hours"), [("Europe/Berlin", -1), ("Asia/Tokyo", -9)])
def test_it_reads_times_in_the_zone_that_the_import_names(
    cast: Cast, zone: str, hours: int
) -> None:
    day = date(datetime.now(UTC).year - 1, 12, 3)
    source = Source("berlin", "2" * 64, "tests", time_zone=zone)
    local = datetime.combine(day, datetime.min.time()) + timedelta(hours=12)
    load_sales(cast.customer, sale(cast, sold_at=None, local_time=local), source=source)
    [row] = query(cast.customer, LINES)
    assert row[2] == local.replace(tzinfo=UTC) + timedelta(hours=hours)


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"quantity": "3"}, "quantity"), ({"total_amount": "3.01"}, "total_amount")],
)
def test_it_refuses_another_value_for_a_line_that_is_there(
    cast: Cast, changes: dict[str, str], field: str
) -> None:
    load_sales(cast.customer, sale(cast))
    batch = load_sales(cast.customer, sale(cast), sale(cast, **changes))
    assert outcome(batch) == (2, 0, 1, 1)
    [row] = query(cast.customer, LINES)
    assert row[6:] == (Decimal("2.000"), Decimal("1.5000"), Decimal("3.00"))
    with tenant(cast.customer):
        refused = RefusedRow.objects.get()
    assert (refused.line_number, refused.field) == (2, field)
    assert refused.reason == "differs from what is there"


def test_it_refuses_another_value_for_a_line_of_the_same_file(cast: Cast) -> None:
    batch = load_sales(
        cast.customer, sale(cast), sale(cast), sale(cast, quantity="5"), sale(cast, line=2)
    )
    assert outcome(batch) == (4, 2, 1, 1)
    assert [row[5:7] for row in query(cast.customer, LINES)] == [
        (1, Decimal("2.000")),
        (2, Decimal("2.000")),
    ]


def test_it_imports_a_file_whole_or_not_at_all(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "BLOCK_ROWS", 2)
    rows = [sale(cast, line=line) for line in range(1, 7)]

    def broken():
        yield records(TRANSACTIONS, *rows[:2])
        yield records(TRANSACTIONS, sale(cast, store="nowhere"), rows[2], first=3)
        raise OSError("unexpected end of file")

    with pytest.raises(OSError, match="unexpected end"):
        load(cast.customer, TRANSACTIONS, FILE, broken())
    with tenant(cast.customer):
        failed = ImportBatch.objects.get()
        assert not RefusedRow.objects.exists()
    assert (failed.status, outcome(failed)) == ("failed", (0, 0, 0, 0))
    assert query(cast.customer, LINES) == []
    assert outcome(load_sales(cast.customer, *rows)) == (6, 6, 0, 0)


def test_it_calls_an_import_failed_whose_process_has_gone(cast: Cast) -> None:
    with tenant(cast.customer):
        gone = ImportBatch.objects.create(
            kind="transactions", source="sales.csv", source_hash=FILE.sha256, imported_by="x"
        )
    load_sales(cast.customer, sale(cast))
    with tenant(cast.customer):
        gone.refresh_from_db()
    assert (gone.status, gone.error) == ("failed", "interrupted")
    assert gone.finished_at is not None


def test_it_keeps_whole_blocks_when_a_file_breaks_off_and_completes_them(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "BLOCK_ROWS", 2)
    rows = [sale(cast, line=line) for line in range(1, 7)]

    def broken():
        yield records(TRANSACTIONS, *rows[:2])
        yield records(TRANSACTIONS, *rows[2:4], first=3)
        raise OSError("unexpected end of file\nwith details")

    with pytest.raises(OSError, match="unexpected end"):
        load(cast.customer, TRANSACTIONS, FILE, broken(), by_block=True)
    with tenant(cast.customer):
        failed = ImportBatch.objects.get()
    assert (failed.status, failed.error) == ("failed", "OSError: unexpected end of file")
    assert failed.finished_at is not None
    assert outcome(failed) == (4, 4, 0, 0)
    assert outcome(load_sales(cast.customer, *rows)) == (6, 2, 4, 0)
    assert len(query(cast.customer, LINES)) == 6


def test_it_undoes_the_block_that_fails(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    def out_of_order(*args: object) -> None:
        raise DatabaseError("the server has gone")

    monkeypatch.setattr(feeds, "count", out_of_order)
    with pytest.raises(DatabaseError):
        load_sales(cast.customer, sale(cast), sale(cast, store="nowhere"))
    assert query(cast.customer, LINES) == []
    with tenant(cast.customer):
        assert not RefusedRow.objects.exists()
        assert outcome(ImportBatch.objects.get()) == (0, 0, 0, 0)


def test_it_keeps_hostile_text_as_it_is(cast: Cast) -> None:
    receipt = 'a,"b"\n\t\\N\'; DROP TABLE x'
    load_sales(cast.customer, sale(cast, receipt=receipt), sale(cast, store="\\."))
    [row] = query(cast.customer, LINES)
    assert row[4] == receipt
    with tenant(cast.customer):
        assert RefusedRow.objects.get().content["store"] == "\\."


def test_it_records_who_imported_what(cast: Cast) -> None:
    source = Source("till.csv", "f" * 64, cast.manager.email, {"upload": 7})
    batch = load_sales(cast.customer, sale(cast), source=source)
    assert (batch.kind, batch.source, batch.source_hash) == ("transactions", "till.csv", "f" * 64)
    assert (batch.imported_by, batch.metadata) == (cast.manager.email, {"upload": 7})
    assert batch.status == "done"
    assert batch.started_at <= batch.finished_at


def test_it_takes_what_is_at_the_limits(cast: Cast) -> None:
    batch = load_sales(
        cast.customer,
        sale(cast, quantity="1000000", total_amount="1000000000"),
        sale(cast, quantity="-1000000", total_amount="-1000000000", line=2),
        sale(cast, quantity="1", total_amount="100000000", line=3),
    )
    assert outcome(batch) == (3, 3, 0, 0)


def test_it_places_what_can_be_summed_up_and_undone_and_nothing_older(cast: Cast) -> None:
    """Two years ago to the second, and the first whole day whose totals can be put right."""
    [(since,)] = query(cast.customer, "SELECT kept_since()")
    to_the_second = datetime.now(UTC) - timedelta(days=730) + timedelta(minutes=5)
    rows = [
        sale(cast, sold_at=at, receipt=f"R{number}", total_amount="165.00")
        for number, at in enumerate((to_the_second, since - timedelta(seconds=1), since))
    ]
    batch = load_sales(cast.customer, *rows)
    assert outcome(batch) == (3, 1, 0, 2)
    refresh_requested()
    totals = "SELECT sum(revenue) FROM {}"
    for relation in ("daily_sales", "daily_store_sales", "receipts", "daily_group_sales"):
        assert query(cast.customer, totals.format(relation)) == [(Decimal(165),)], relation
    assert undo(cast.customer, batch, "x") == 1
    refresh_requested()
    assert query(cast.customer, totals.format("daily_sales")) == [(None,)]
