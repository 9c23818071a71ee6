"""Files as they really come: every untidiness has an answer."""

import gzip
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow
import pyarrow.parquet as pq
import pytest
from django.core.management import CommandError

from shelfops.ingestion.models import RefusedRow
from shelfops.tenancy.context import tenant
from tests.cast import Cast
from tests.ingestion.feeding import days_ago, outcome
from tests.ingestion.importing import (
    HEADER,
    batches,
    import_sales,
    line,
    refused,
    sold,
    write,
    write_bytes,
)
from tests.ingestion.test_sales_feed import sundays

ISO = "not a time such as 2026-03-31 14:05 or 2026-03-31T14:05:00+02:00"


@pytest.mark.parametrize(
    ("encoding", "args"),
    [
        ("utf-8", []),
        ("utf-8-sig", []),
        ("utf-8-sig", ["--encoding", "utf-8"]),
        ("utf-16", []),
        ("utf-16-le", ["--encoding", "utf-16-le"]),
        ("cp1252", ["--encoding", "cp1252"]),
        ("latin-1", ["--encoding", "latin-1"]),
    ],
)
def test_it_reads_encodings(cast: Cast, tmp_path: Path, encoding: str, args: list[str]) -> None:
    text = f"{HEADER}\n{line(receipt='Käse')}\n"
    path = write_bytes(tmp_path, text.encode(encoding))
    assert outcome(import_sales(cast, path, *args)) == (1, 1, 0, 0)
    assert sold(cast)[0][1] == "Käse"


def test_it_guesses_no_encoding(cast: Cast, tmp_path: Path) -> None:
    text = f"{HEADER}\n{line()}\n{line(receipt='Käse')}\n"
    path = write_bytes(tmp_path, text.encode("cp1252"))
    with pytest.raises(CommandError, match="not utf-8. Name the encoding"):
        import_sales(cast, path)
    assert sold(cast) == []


def test_it_knows_no_encoding_that_does_not_exist(cast: Cast, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no encoding klingon"):
        import_sales(cast, write(tmp_path, line()), "--encoding", "klingon")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("sign", [",", ";", "\t", "|"])
def test_it_reads_delimiters_and_line_ends(cast: Cast, tmp_path: Path, end: str, sign: str) -> None:
    text = end.join([HEADER, line(), "", ",,,,,,", line(line=2), line(store="x")])
    path = write_bytes(tmp_path, text.replace(",", sign).encode())
    assert outcome(import_sales(cast, path)) == (3, 2, 0, 1)
    assert refused(cast) == [(6, "store", "unknown store")]


@pytest.mark.parametrize(
    ("sign", "text", "value"),
    [
        (None, "1234.5", "1234.5"),
        (None, " +2 ", "2"),
        (None, ".5", "0.5"),
        (None, "2.5000", "2.5"),
        (".", "1,234.5", "1234.5"),
        (".", "1,234", "1234"),
        (".", "1 234", "1234"),
        (".", "1234.5", "1234.5"),
        (",", "1.234,5", "1234.5"),
        (",", "1234,5", "1234.5"),
        (",", "1,234", "1.234"),
        (",", "1’000’000,0", "1000000"),
        (",", "-0,5", "-0.5"),
    ],
)
def test_it_reads_numbers(
    cast: Cast, tmp_path: Path, sign: str | None, text: str, value: str
) -> None:
    path = write(tmp_path, line(quantity=f'"{text}"', amount=1))
    import_sales(cast, path, *(["--decimal", sign] if sign else []))
    assert [row[3] for row in sold(cast)] == [Decimal(value)]


@pytest.mark.parametrize(
    ("sign", "text", "reason"),
    [
        (None, "1,234", "has a comma; name the file's decimal sign"),
        (None, "1.234,5", "has a comma; name the file's decimal sign"),
        (".", "1,23", "not a number"),
        (",", "1.5", "not a number"),
        (",", "1,234.5", "not a number"),
        (None, "two", "not a number"),
        (None, "NaN", "not a number"),
        (None, "1e3", "not a number"),
        (None, "$2", "not a number"),
        (None, "0.3456", "more than 3 decimals"),
        (",", "0,3456", "more than 3 decimals"),
        (None, "100000000000", "beyond the limit of 1,000,000"),
        (None, "9" * 40, "not a number"),
        (None, "", "no quantity"),
    ],
)
def test_it_refuses_numbers_that_it_would_have_to_guess_or_round(
    cast: Cast, tmp_path: Path, sign: str | None, text: str, reason: str
) -> None:
    path = write(tmp_path, line(quantity=f'"{text}"'))
    import_sales(cast, path, *(["--decimal", sign] if sign else []))
    assert refused(cast) == [(2, "quantity", reason)]


def test_it_takes_returns_values_without_quantity_and_weighed_goods(
    cast: Cast, tmp_path: Path
) -> None:
    path = write(
        tmp_path,
        line(line=1, quantity=-1, amount=-1.5),
        line(line=2, quantity=0, amount="0.50"),
        line(line=3, quantity=0, amount=0),
        line(line=4, quantity=0.345, amount="2.10"),
        line(line=5, amount="2.105"),
        line(line="1.5"),
        line(line=2**31),
        line(line=""),
    )
    assert outcome(import_sales(cast, path)) == (8, 3, 0, 5)
    assert [row[3] for row in sold(cast)] == [Decimal("-1"), Decimal(0), Decimal("0.345")]
    assert refused(cast) == [
        (4, "quantity", "quantity 0 without value"),
        (6, "total_amount", "more than 2 decimals"),
        (7, "line", "not a whole number"),
        (8, "line", "too large"),
        (9, "line", "no line"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{day} 14:05", "{day}T19:05+00:00"),
        ("{day}T14:05:06", "{day}T19:05:06+00:00"),
        ("{day} 14:05:06.123456789", "{day}T19:05:06.123456+00:00"),
        ("{day}", "{day}T05:00+00:00"),
        ("{day} 14:05Z", "{day}T14:05+00:00"),
        ("{day}T14:05:06+02:00", "{day}T12:05:06+00:00"),
        ("{day} 14:05:06 -0500", "{day}T19:05:06+00:00"),
        ("{day} 14:05+02", "{day}T12:05+00:00"),
    ],
)
def test_it_reads_times(cast: Cast, tmp_path: Path, text: str, expected: str) -> None:
    day = f"{datetime.now(UTC).year - 1}-12-03"  # winter in New York
    import_sales(cast, write(tmp_path, line(time=text.format(day=day))))
    assert [row[0] for row in sold(cast)] == [datetime.fromisoformat(expected.format(day=day))]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2025-02-30 10:00", ISO),
        ("2025-02-30", ISO),
        ("2025-02-03 25:00Z", ISO),
        ("03/01/2025 10:00", ISO),
        ("0000-01-01", ISO),
        ("45000", ISO),
        ("", "no time"),
        ("1999-01-01 10:00", "older than the two years that are kept"),
        ((days_ago(-2)).isoformat(), "in the future"),
        (f"{sundays(3)[1]} 02:30", "the clocks skipped this time"),
    ],
)
def test_it_refuses_times_that_cannot_be(
    cast: Cast, tmp_path: Path, text: str, reason: str
) -> None:
    import_sales(cast, write(tmp_path, line(), line(time=text, line=2)))
    assert refused(cast) == [(3, "sold_at", reason)]
    assert len(sold(cast)) == 1


def test_it_takes_the_first_of_a_time_that_the_clocks_repeat(cast: Cast, tmp_path: Path) -> None:
    day = sundays(11)[0]
    import_sales(cast, write(tmp_path, line(time=f"{day} 01:30")))
    assert sold(cast)[0][0] == datetime.fromisoformat(f"{day} 05:30+00:00")


def test_it_reads_times_without_a_zone_in_the_zone_it_is_told(cast: Cast, tmp_path: Path) -> None:
    day = (datetime.now(UTC) - timedelta(days=40)).date()
    import_sales(cast, write(tmp_path, line(time=f"{day} 12:00")), "--time-zone", "Asia/Tokyo")
    assert sold(cast)[0][0] == datetime.fromisoformat(f"{day} 03:00+00:00")
    with pytest.raises(CommandError, match="not a time zone"):
        import_sales(cast, write(tmp_path, line()), "--time-zone", "Mars/Olympus")


@pytest.mark.parametrize(
    ("header", "args", "problem"),
    [
        (HEADER.replace("Qty", "Shoes"), [], "No column for quantity."),
        ("a,b", [], "No column for store. No column for product. No column for sold_at."),
        (HEADER.replace("Amount", "QTY"), [], "Several columns for quantity: Qty, QTY."),
        (HEADER.replace("Store", "Qty"), [], "No column for store. Several columns"),
        (HEADER, ["--columns", "quantity=Units"], r"No column for quantity \(Units\)."),
        (HEADER, ["--columns", "shoes=Qty"], "There is no column shoes to name."),
        (HEADER, ["--columns", "quantity"], "--columns takes NAME=HEADER"),
        (HEADER, ["--delimiter", "::"], "--delimiter is one character"),
    ],
)
def test_it_names_columns_that_are_missing_or_doubled(
    cast: Cast, tmp_path: Path, header: str, args: list[str], problem: str
) -> None:
    with pytest.raises(CommandError, match=problem):
        import_sales(cast, write(tmp_path, line(), header=header), *args)
    assert batches(cast) == []


def test_it_finds_columns_by_other_names_and_by_hand(cast: Cast, tmp_path: Path) -> None:
    header = "store_code,ITEM ID,Date/Time,Ticket,Pos.,Zahl,Total,Qty,Price"
    path = write(tmp_path, line() + ",7,1.75", header=header)
    import_sales(cast, path, "--columns", "line=Pos.", "quantity=Zahl")
    assert sold(cast)[0][2:] == (1, Decimal(2), Decimal("1.75"), Decimal(3))


def test_it_refuses_rows_that_are_no_rows(cast: Cast, tmp_path: Path) -> None:
    path = write(
        tmp_path,
        line() + ",more",
        "S1,MILK-1",
        line(receipt="x" * 10_000_000),
        line(receipt="a\0b"),
        line(receipt='"two\nlines"'),
        line(receipt='"' + "many\n" * 500 + '"'),
        line(sku="\\N"),
    )
    assert outcome(import_sales(cast, path)) == (7, 1, 0, 6)
    assert refused(cast) == [
        (2, "row", "8 fields instead of 7"),
        (3, "row", "2 fields instead of 7"),
        (4, "Receipt", "longer than 1,000 characters"),
        (5, "Receipt", "contains a NUL character"),
        (8, "Receipt", "longer than 1,000 characters"),
        (509, "product", "unknown product"),
    ]
    with tenant(cast.customer):
        content = [row.content["original"] for row in RefusedRow.objects.order_by("line_number")]
    assert content[0][7] == "more"
    assert content[1] == ["S1", "MILK-1"]
    assert len(content[2][3]) == 1_000
    assert content[3][3] == "a␀b"
    assert sold(cast)[0][1] == "two\nlines"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "The file is empty"),
        (b"\n\n  \n", "The file is empty"),
        (f'{HEADER}\n{line()}\nS1,"MILK\n{line()}\n'.encode(), "begins in line 3 has a quote"),
        (f'{HEADER}\n{line()}\nS1,"MI"LK\n'.encode(), "begins in line 3 has a quote"),
        (b"PK\x03\x04 a spreadsheet", "Save it as CSV"),
        (b"PAR1 cut", "cut off or damaged"),
        (b"\x1f\x8b cut", "The gzip file is cut off or damaged"),
    ],
)
def test_it_imports_nothing_of_a_file_that_cannot_be_read(
    cast: Cast, tmp_path: Path, content: bytes, problem: str
) -> None:
    with pytest.raises(CommandError, match=f"Nothing was imported.*{problem}"):
        import_sales(cast, write_bytes(tmp_path, content))
    assert sold(cast) == []


def test_it_imports_nothing_of_a_file_that_is_not_there(cast: Cast, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read: No such file"):
        import_sales(cast, tmp_path / "nothing.csv")
    with pytest.raises(CommandError, match="cannot be read: Is a directory"):
        import_sales(cast, tmp_path)


def many(count: int) -> bytes:
    lines = (line(receipt=f"R{number}") for number in range(count))
    return "\n".join([HEADER, *lines]).encode()


def test_it_reads_gzip_and_nothing_of_one_that_is_cut_off(cast: Cast, tmp_path: Path) -> None:
    packed = gzip.compress(many(15_000))
    path = write_bytes(tmp_path, packed[: len(packed) // 2])
    with pytest.raises(CommandError, match="The gzip file is cut off or damaged, after line"):
        import_sales(cast, path)
    assert sold(cast) == []
    assert (batches(cast)[0].status, outcome(batches(cast)[0])) == ("failed", (0, 0, 0, 0))
    path = write_bytes(tmp_path, packed[:-8] + b"12345678")
    with pytest.raises(CommandError, match="The gzip file is cut off or damaged"):
        import_sales(cast, path)
    assert sold(cast) == []
    assert outcome(import_sales(cast, write_bytes(tmp_path, packed))) == (15_000, 15_000, 0, 0)


def parquet(tmp_path: Path, **changes: pyarrow.Array) -> Path:
    columns = {
        "store_id": pyarrow.array(["S1", "S1"]).dictionary_encode(),
        "product_id": pyarrow.array(["MILK-1", "nothing"]),
        "basket_id": pyarrow.array([31_198_570_044, None]),
        "line": pyarrow.array([1, 2], pyarrow.int8()),
        "transaction_timestamp": pyarrow.array([days_ago(3)] * 2, pyarrow.timestamp("ns", "UTC")),
        "quantity": pyarrow.array([0.1 + 0.2, 2]),
        "sales_value": pyarrow.array([Decimal("3.10"), Decimal("4")]),
    } | changes
    pq.write_table(pyarrow.table(columns), tmp_path / "sales.parquet")
    return tmp_path / "sales.parquet"


@pytest.mark.parametrize("args", [[], ["--decimal", ","]])
def test_it_reads_parquet(cast: Cast, tmp_path: Path, args: list[str]) -> None:
    assert outcome(import_sales(cast, parquet(tmp_path), *args)) == (2, 1, 0, 1)
    assert sold(cast)[0] == (
        (days_ago(3), "31198570044", 1) + (Decimal("0.3"), Decimal("10.3333"), Decimal("3.1"))
    )
    assert refused(cast) == [(2, "product", "unknown product")]
    with tenant(cast.customer):
        content = RefusedRow.objects.get().content["original"]
    assert content == ["S1", "nothing", None, "2", f"{days_ago(3):%Y-%m-%d %H:%M:%S}.000000Z"] + [
        "2",
        "4.00",
    ]


def test_it_reads_parquet_times_without_a_zone_as_the_stores(cast: Cast, tmp_path: Path) -> None:
    moment = days_ago(3).replace(tzinfo=None)
    path = parquet(tmp_path, transaction_timestamp=pyarrow.array([moment] * 2))
    import_sales(cast, path)
    expected = moment.replace(tzinfo=cast.store.zone)
    assert sold(cast)[0][0] == expected


def test_it_refuses_parquet_values_that_nothing_holds(cast: Cast, tmp_path: Path) -> None:
    path = parquet(tmp_path, product_id=pyarrow.array(["MILK\0", "x" * 2_000]))
    import_sales(cast, path)
    assert refused(cast) == [
        (1, "product_id", "contains a NUL character"),
        (2, "product_id", "longer than 1,000 characters"),
    ]
    with pytest.raises(CommandError, match="holds no single values"):
        import_sales(cast, parquet(tmp_path, quantity=pyarrow.array([[1.0], [2.0]])))


def test_it_imports_nothing_of_parquet_that_is_cut_off(cast: Cast, tmp_path: Path) -> None:
    path = parquet(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CommandError, match="The Parquet file is cut off or damaged"):
        import_sales(cast, path)
    assert sold(cast) == []
