"""The commands that import files: for whom, what they say, and what they leave behind."""

import csv
import os
import resource
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from io import StringIO
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from inventory.models import CurrentStock
from shelfops.ingestion.models import ImportBatch
from shelfops.tenancy.context import tenant
from tests.cast import Cast, make_customer
from tests.ingestion.feeding import days_ago, outcome, query
from tests.ingestion.importing import batches, import_sales, line, refused, run, sold, write

ROOT = Path(__file__).resolve().parent.parent.parent


def test_it_says_what_became_of_the_rows(cast: Cast, tmp_path: Path) -> None:
    path = write(tmp_path, line(), line(), line(line=2, store="x"), line(line=3, store="y"))
    said = run("import_sales", cast, path).splitlines()
    batch = batches(cast)[0]
    assert said[-3:] == [
        "sales.csv for Acme Grocers: 4 rows read, 1 added, 1 there already, 2 refused.",
        "  2 refused: store: unknown store",
        f"Read them with: manage.py refused_rows {batch.pk} --customer {cast.customer.pk}",
    ]
    assert (batch.imported_by, batch.status) == ("import_sales", "done")
    assert batch.metadata["named"]["sold_at"] == "Sold at"
    assert len(batch.source_hash) == 64


def test_it_brings_the_totals_up_to_date(cast: Cast, tmp_path: Path) -> None:
    import_sales(cast, write(tmp_path, line(time=days_ago(40)), line(time=days_ago(40), line=2)))
    totals = query(cast.customer, "SELECT lines, revenue FROM daily_store_sales")
    assert totals == [(2, Decimal("6.00"))]


def test_it_finds_the_customer_by_id_or_exact_name(cast: Cast, tmp_path: Path) -> None:
    path, name = write(tmp_path, line()), f"Only one {uuid4()}"
    only = make_customer(name)
    call_command("import_sales", path, "--customer", name, stdout=StringIO())
    with tenant(only):
        assert ImportBatch.objects.get().rows_refused == 1
    for nobody in (name.lower(), str(uuid4())):
        with pytest.raises(CommandError, match="There is no customer with the id or exact name"):
            call_command("import_sales", path, "--customer", nobody)
    make_customer(name)
    with pytest.raises(CommandError, match="Several customers are called"):
        call_command("import_sales", path, "--customer", name)


def test_it_imports_a_file_again_without_adding_anything(cast: Cast, tmp_path: Path) -> None:
    path = write(tmp_path, line(), line(line=2), line(line=3, store="x"))
    assert outcome(import_sales(cast, path)) == (3, 2, 0, 1)
    assert outcome(import_sales(cast, path)) == (3, 0, 2, 1)
    later = write(tmp_path, line(line=2), line(line=4), line(amount="3.50"))
    assert outcome(import_sales(cast, later)) == (3, 1, 1, 1)
    assert refused(cast)[-1] == (4, "total_amount", "differs from what is there")
    assert len(sold(cast)) == 3


def test_it_imports_counts_of_stock(cast: Cast, tmp_path: Path) -> None:
    header = "shop;sku;counted at;on hand;allocated"
    day = f"{days_ago(3):%Y-%m-%d}"
    path = write(
        tmp_path,
        f"S1;MILK-1;{day} 08:00;12,5;2",
        f"S1;MILK-1;{day} 20:00;10;",
        f"S1;MILK-1;{day} 20:00;11;",
        f"S1;MILK-1;{day} 21:00;-1;",
        f"S2;MILK-1;{day};1.250;0",
        header=header,
    )
    run("import_inventory", cast, path, "--decimal", ",")
    assert outcome(batches(cast)[0]) == (5, 3, 0, 2)
    assert refused(cast) == [
        (4, "quantity_on_hand", "differs from what is there"),
        (5, "quantity_on_hand", "negative"),
    ]
    with tenant(cast.customer):
        stock = CurrentStock.objects.order_by("quantity_on_hand")
        assert list(stock.values_list("store__code", "quantity_on_hand", "source")) == [
            ("S1", Decimal(10), "feed"),
            ("S2", Decimal(1250), "feed"),
        ]


def refused_file(cast: Cast, *args: str) -> list[list[str]]:
    text = run("refused_rows", cast, batches(cast)[0].pk, *args)
    assert text.startswith("\ufeff")
    return list(csv.reader(StringIO(text[1:])))


def test_it_gives_back_refused_rows_that_can_be_put_right(cast: Cast, tmp_path: Path) -> None:
    path = write(
        tmp_path,
        line(),
        line(line=2, quantity=-1, store="=cmd|'/c calc'!A1"),
        line(line=3, sku="@x") + ',"+1,5",-x',
    )
    import_sales(cast, path)
    head, *rows = refused_file(cast)
    time = days_ago(3).isoformat()
    assert head == (
        ["Refused line", "Refused field", "Refused reason"]
        + ["Store", "SKU", "Sold at", "Receipt", "Line", "Qty", "Amount", "Field 8", "Field 9"]
    )
    assert rows == [
        ["3", "store", "unknown store", "'=cmd|'/c calc'!A1", "MILK-1", time]
        + ["R1", "2", "-1", "3.00"],
        ["4", "row", "9 fields instead of 7", "S1", "'@x", time]
        + ["R1", "3", "2", "3.00", "+1,5", "'-x"],
    ]
    lines = [head[:10], rows[0][:3] + ["S1"] + rows[0][4:]]
    corrected = tmp_path / "corrected.csv"
    corrected.write_text("\n".join(map(",".join, lines)), encoding="utf-8-sig")
    assert outcome(import_sales(cast, corrected)) == (1, 1, 0, 0)


def test_it_keeps_refused_rows_from_other_customers(cast: Cast, tmp_path: Path) -> None:
    batch = import_sales(cast, write(tmp_path, line(store="x")))
    with pytest.raises(CommandError, match="no import with this id"):
        call_command("refused_rows", str(batch.pk), "--customer", str(cast.other_customer.pk))


def test_it_undoes_an_import_after_saying_what_that_means(cast: Cast, tmp_path: Path) -> None:
    first = import_sales(cast, write(tmp_path, line(), line(line=2), line(line=3, store="x")))
    second = import_sales(cast, write(tmp_path, line(), line(line=4)))
    said = run("undo_import", cast, first.pk).splitlines()
    assert said[0].startswith("sales.csv for Acme Grocers, transactions, imported 20")
    assert "found rows there already" in said[1]
    assert said[2] == "Would take back 2 rows. Do it with --yes. Nothing has been changed."
    assert len(sold(cast)) == 3
    assert run("undo_import", cast, first.pk, "--yes").splitlines()[-1] == "2 rows taken back."
    assert [row[2] for row in sold(cast)] == [4]
    totals = query(cast.customer, "SELECT sum(lines), sum(revenue) FROM daily_store_sales")
    assert totals == [(1, Decimal("3.00"))]
    assert [batch.status for batch in batches(cast)] == ["done", "undone"]
    with pytest.raises(CommandError, match="Nothing was undone. It was undone on"):
        run("undo_import", cast, first.pk, "--yes")
    with pytest.raises(CommandError, match="no import with this id"):
        call_command("undo_import", str(second.pk), "--customer", str(cast.other_customer.pk))


DIE_HALF_WAY = """
import os, signal, sys
import django
django.setup()
from django.core.management import call_command
from shelfops.ingestion import feeds, files
files.ROWS_AT_ONCE = feeds.BLOCK_ROWS = 10
place, blocks = feeds.place, []
def place_and_die(*args):
    blocks.append(place(*args))
    if len(blocks) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return blocks[-1]
feeds.place = place_and_die
call_command("import_sales", sys.argv[1], "--customer", sys.argv[2])
"""


def test_it_leaves_nothing_behind_when_it_is_killed(
    cast: Cast, tmp_path: Path, database_urls: dict[str, str]
) -> None:
    path = write(tmp_path, *(line(receipt=f"R{number}") for number in range(50)), line(store="x"))
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "shelfops.settings",
        "DATABASE_URL": database_urls["app"],
        "DATABASE_OWNER_URL": database_urls["owner"],
        "DATABASE_OPERATOR_URL": database_urls["operator"],
    }
    killed = subprocess.run(
        [sys.executable, "-c", DIE_HALF_WAY, path, str(cast.customer.pk)],
        cwd=ROOT,
        env=environment,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert sold(cast) == []
    assert [(batch.status, batch.rows_read) for batch in batches(cast)] == [("running", 0)]
    assert outcome(import_sales(cast, path)) == (51, 50, 0, 1)
    assert [batch.status for batch in batches(cast)] == ["done", "failed"]
    assert len(sold(cast)) == 50


def test_it_imports_overlapping_files_at_once(cast: Cast, tmp_path: Path) -> None:
    """Each pair of neighbours shares half of its lines, in opposite orders."""
    paths = []
    for number in range(4):
        lines = [line(receipt=f"R{row:05}") for row in range(number * 500, number * 500 + 1_000)]
        folder = tmp_path / str(number)
        folder.mkdir()
        paths.append(write(folder, *(reversed(lines) if number % 2 else lines)))

    def run_one(path: Path) -> None:
        try:
            call_command("import_sales", path, "--customer", cast.customer.pk, stdout=StringIO())
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run_one, paths))
    done = batches(cast)
    assert {batch.status for batch in done} == {"done"}
    assert sum(batch.rows_read for batch in done) == 4_000
    assert sum(batch.rows_inserted for batch in done) == 2_500
    assert sum(batch.rows_present for batch in done) == 1_500
    assert len(sold(cast)) == len({row[1] for row in sold(cast)}) == 2_500


def test_it_needs_little_memory_for_large_rows(cast: Cast, tmp_path: Path) -> None:
    """30 rows of 10 MB: more in all than it may ever hold."""
    path = tmp_path / "large.csv"
    with path.open("w") as file:
        file.write("store,sku,sold at,receipt,line,qty,amount\n")
        for number in range(30):
            file.write(line(line=number, receipt="x" * 10_000_000) + "\n")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert outcome(import_sales(cast, path)) == (30, 0, 0, 30)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024
