"""CSV and Parquet files that are made to do harm: refused, or their rows, in bounded memory."""

import gzip
from decimal import Decimal
from pathlib import Path

import pyarrow
import pyarrow.parquet as pq
import pytest
from django.core.management.base import CommandError

from shelfops.ingestion import feeds, files, keeping, pages, parquet
from shelfops.ingestion.files import FileProblem, open_rows
from shelfops.ingestion.models import RefusedRow
from shelfops.ingestion.pages import Broken
from shelfops.tenancy.context import tenant
from tests.cast import Cast
from tests.ingestion.feeding import query
from tests.ingestion.importing import HEADER, import_sales, line, refused, run, sold, write_bytes
from tests.ingestion.measuring import read
from tests.ingestion.test_untidy_files import parquet as sales

# What reading any file of a feed may take; without one it is about 90 MB.
MEGABYTES = 800


def texts(path: Path, values: list[str], rows: int, **options) -> Path:
    """Eight columns of these texts, again and again."""
    indices = pyarrow.array([row % len(values) for row in range(rows)], pyarrow.int32())
    column = pyarrow.DictionaryArray.from_arrays(indices, pyarrow.array(values))
    table = pyarrow.table(dict.fromkeys("abcdefgh", column))
    pq.write_table(table, path, compression="zstd", **options)
    return path


PARQUET = {
    "one text of 200 kB": lambda path: texts(path, ["x" * 200_000], 10_000),
    "400 texts of 200 kB": lambda path: texts(
        path, [f"{n}{'x' * 200_000}" for n in range(400)], 400, use_dictionary=False
    ),
    "one text of 1,000 characters": lambda path: texts(path, ["\U0001f34b" * 1_000], 10_000),
}


@pytest.mark.parametrize("make", PARQUET.values(), ids=PARQUET)
def test_parquet_needs_no_more_memory_than_it_says(tmp_path: Path, make) -> None:
    megabytes, said = read(make(tmp_path / "file.parquet"))
    assert megabytes < MEGABYTES, said
    assert said == "10000 rows" or "row group" in said


def test_the_pages_say_what_they_unpack_to(tmp_path: Path) -> None:
    """As pyarrow's own account has it, for each way of packing."""
    for options in ({"use_dictionary": False}, {}, {"data_page_version": "2.0"}):
        path = texts(
            tmp_path / "file.parquet", [f"{n} text" for n in range(50_000)], 50_000, **options
        )
        with path.open("rb") as file:
            chunk = pq.ParquetFile(file).metadata.row_group(0).column(0)
            sizes = pages.unpacked_sizes(file, *parquet.span(chunk))
        headers = chunk.total_uncompressed_size - sum(sizes)
        assert 0 < headers < 200 * len(sizes)


def test_a_page_without_a_header_is_told(tmp_path: Path) -> None:
    for junk in (b"", b"\xff" * 50, b"\x15\x00", b"\x1c" * 100, b"\x19\xfc\xff\xff\xff\x7f"):
        path = write_bytes(tmp_path, junk + b"\0" * 10)
        with path.open("rb") as file, pytest.raises(Broken):
            pages.unpacked_sizes(file, 0, 50)


def test_it_refuses_the_row_of_a_number_that_is_none(cast: Cast, tmp_path: Path) -> None:
    for kind in (pyarrow.float64(), pyarrow.float32(), pyarrow.float16()):
        for value in (1e308, float("inf"), float("nan")):
            values = pyarrow.array([2.5, value]).cast(kind, safe=False)
            good = pyarrow.array(["MILK-1", "MILK-1"])
            import_sales(cast, sales(tmp_path, quantity=values, product_id=good))
            assert refused(cast)[-1][:2] == (2, "quantity"), (kind, value)
    assert [row[3] for row in sold(cast)] == [Decimal("2.5")]


def test_it_refuses_the_row_of_text_that_is_none(cast: Cast, tmp_path: Path) -> None:
    raw = pyarrow.array([b"MILK-1", b"\xff\xfe"])
    for kind in (raw, raw.dictionary_encode(), raw.cast(pyarrow.string(), safe=False)):
        import_sales(cast, sales(tmp_path, product_id=kind))
        assert refused(cast)[-1] == (2, "product_id", "is not written in UTF-8")


def packed(tmp_path: Path, *pieces: bytes) -> Path:
    path = tmp_path / "file.csv"
    with gzip.open(path, "wb", 1) as file:
        for piece in pieces:
            file.write(piece)
    return path


CSV = {
    "one line without end": (b"a,b\n" + b"x" * 50_000_000, "longer than 16 MB"),
    "one row of many lines": (b"a,b\n" + b'"x\n",' * 6_000_000, "longer than 16 MB"),
    "fields without end": (b"a,b\n" + b"," * 50_000_000, "longer than 16 MB"),
    "rows of a million fields": (b"a,b\n" + (b"12," * 1_000_000 + b"\n") * 20, "20 rows"),
    "nothing but spaces": (b"a,b\n" + (b" " * 999 + b"\n") * 20_000, "0 rows"),
    "nothing but returns": (b"a,b\r" + (b" " * 999 + b"\r") * 20_000, "0 rows"),
    "quotes": (b"a,b\n" + b'"' * 30_000_000, "longer than 16 MB"),
    "a hundred thousand columns": (b"a," * 100_000 + b"b\n1,2\n", "at most 500"),
    "a header of 30 MB": (b"abcdefghi," * 3_000_000, "longer than 16 MB"),
    "one heading of 15 MB": (b"x" * 15_000_000 + b"\n1\n", "1 rows"),
}


@pytest.mark.parametrize(("content", "expected"), CSV.values(), ids=CSV)
def test_csv_needs_no_more_memory_than_it_says(
    tmp_path: Path, content: bytes, expected: str
) -> None:
    megabytes, said = read(packed(tmp_path, content))
    assert expected in said
    assert megabytes < MEGABYTES


def test_it_says_that_a_file_is_packed_twice(tmp_path: Path) -> None:
    with pytest.raises(FileProblem, match="packed twice"):  # noqa: SIM117
        with open_rows(packed(tmp_path, gzip.compress(b"a,b\n1,2\n"))):
            pass


@pytest.mark.parametrize(
    "encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
)
def test_it_reads_wide_characters_without_being_told(
    cast: Cast, tmp_path: Path, encoding: str
) -> None:
    text = f"{HEADER}\n{line(receipt='Größe')}\n"
    import_sales(cast, write_bytes(tmp_path, text.encode(encoding)))
    assert [row[1] for row in sold(cast)] == ["Größe"]


def test_it_says_what_headings_cannot_be(cast: Cast, tmp_path: Path) -> None:
    for start in (b"Sto\0re", "Магазин;".encode("utf-16-le")):
        path = write_bytes(tmp_path, start + b",SKU\n1,2\n")
        with pytest.raises(CommandError, match="utf-16-le or utf-16-be|bytes that are not"):
            import_sales(cast, path)


def test_a_message_names_few_headings(cast: Cast, tmp_path: Path) -> None:
    names = ",".join(f"{n}{'x' * 5_000}" for n in range(400))
    with pytest.raises(CommandError) as caught:
        import_sales(cast, write_bytes(tmp_path, f"{names}\n1\n".encode()))
    assert "and 380 more" in str(caught.value)
    assert len(str(caught.value)) < 2_000


def test_a_column_of_an_odd_encoding_is_no_error_of_ours(cast: Cast, tmp_path: Path) -> None:
    path = write_bytes(tmp_path, f"{HEADER}\n{line(receipt=chr(92) + 'ud800')}\n".encode())
    with pytest.raises(CommandError, match="bytes that are not unicode_escape"):
        import_sales(cast, path, "--encoding", "unicode_escape")


def test_it_keeps_so_many_refused_rows_and_counts_the_rest(
    cast: Cast, client_of, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By rows and by bytes, over several blocks, and the same again."""
    monkeypatch.setattr(feeds, "BLOCK_ROWS", 100)
    monkeypatch.setattr(files, "ROWS_AT_ONCE", 100)
    lines = [line(receipt=f"R{n}", store="nowhere" if n % 2 else "S1") for n in range(600)]
    path = write_bytes(tmp_path, "\n".join([HEADER, *lines]).encode())
    for rows, size, kept in ((130, 10**9, 130), (10**9, 30_000, 120)):
        monkeypatch.setattr(keeping, "KEPT_ROWS", rows)
        monkeypatch.setattr(keeping, "KEPT_BYTES", size)
        batch = import_sales(cast, path)
        assert batch.rows_refused == 300
        with tenant(cast.customer):
            found = list(RefusedRow.objects.filter(batch=batch).order_by("line_number"))
        assert kept - 20 <= len(found) <= kept
        assert [row.line_number for row in found] == [3 + 2 * n for n in range(len(found))]
        assert all(row.content["original"][0] == "nowhere" for row in found)
        assert batch.refused_unkept == 300 - len(found)
    assert len(sold(cast)) == 300
    assert "refused rows are counted" in run("import_sales", cast, path)
    page = client_of(cast.admin).get(f"/ingestion/importbatch/{batch.pk}/change/")
    assert "are counted only" in page.content.decode()


def test_refused_rows_take_no_more_than_a_stated_space(cast: Cast, tmp_path: Path) -> None:
    """Half a megabyte that would write 250 MB of them."""
    wide = ",".join([HEADER, *(f"Note {n}" for n in range(9))])
    row = line(store="nowhere") + f",{'x' * 900}" * 9
    path = packed(tmp_path, f"{wide}\n".encode(), f"{row}\n".encode() * 30_000)
    assert path.stat().st_size < 2_000_000
    batch = import_sales(cast, path)
    assert batch.rows_refused == 30_000
    [(size,)] = query(
        cast.customer,
        "SELECT sum(length(content::text)) FROM refused_rows WHERE batch_id = %s",
        [batch.pk],
    )
    assert 0.8 * keeping.KEPT_BYTES < size < 1.05 * keeping.KEPT_BYTES
