"""Hostile and untidy files of master data: each has an answer, and none of them harm."""

import gzip
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from openpyxl import Workbook
from openpyxl.styles import numbers

from shelfops.ingestion.files import FileProblem
from shelfops.ingestion.master import files, parts
from shelfops.ingestion.master.files import MasterRows, distinct
from tests.ingestion.master import apply, drafts, outcomes, problem, products, upload, xlsx_of

HEAD = ["SKU", "Name", "Unit price"]


def read(content, **reading):
    """Header, and rows as lists of text."""
    file = MasterRows(content, reading)
    found = [
        row
        for group in file.rows(list(range(len(file.header))))
        for row in zip(
            *(group.columns[index].to_pylist() for index in sorted(group.columns)), strict=True
        )
    ]
    return file.header, found


def sheet_xml(rows, after=""):
    return (
        '<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/'
        f'2006/main"><sheetData>{rows}</sheetData>{after}</worksheet>'
    )


def with_part(content, name, text, compression=ZIP_DEFLATED):
    """The XLSX file with one part replaced."""
    made = BytesIO()
    with ZipFile(BytesIO(content)) as old, ZipFile(made, "w", compression) as new:
        for part in old.namelist():
            if part != name:
                new.writestr(part, old.read(part))
        new.writestr(name, text)
    return made.getvalue()


def with_sheet(rows, after=""):
    return with_part(xlsx_of(HEAD), "xl/worksheets/sheet1.xml", sheet_xml(rows, after))


def inline(*texts):
    return "".join(f'<c t="inlineStr"><is><t>{text}</t></is></c>' for text in texts)


HEAD_ROW = f"<row>{inline(*HEAD)}</row>"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b"SKU,Name\n", "no rows"),
        (gzip.compress(b"SKU,Name\nX,Y\n", mtime=0), "packed"),
        (b"PAR1" + b"x" * 50, "Parquet"),
        (b"\xd0\xcf\x11\xe0" + b"x" * 50, "old or a locked"),
        (b"%PDF-1.7", "PDF"),
        (b"PK\x03\x04" + b"x" * 50, "cut off or damaged"),
        (xlsx_of(HEAD, ["X", "Y", 1])[:-300], "cut off or damaged"),
        (xlsx_of(HEAD), "no rows"),
        (b'SKU,Name\n"X,Y\n', "not closed"),
        (b"SKU,Name\nX,\x81\xff\n", "Name the encoding"),
        (with_sheet("<row r='9999999'><c><v>1</v></c></row>"), "no sheet can have"),
        (with_sheet("<row><c r='1A'><v>1</v></c></row>"), "damaged"),
        (with_sheet("<row><c t='s'><v>7</v></c></row>"), "damaged"),
        (with_sheet("<row><c><v>x</v></c></row>"), "damaged"),
        (with_sheet("<row"), "damaged"),
        (with_sheet(HEAD_ROW, "<mergeCells><mergeCell ref='A1:A900000'/></mergeCells>"), "Unmerge"),
    ],
)
def test_it_says_what_is_wrong_with_a_file(cast, client_of, content, expected):
    client = client_of(cast.admin)
    assert expected in problem(upload(client, "products", content))
    assert drafts(cast) == 0


def test_it_reads_no_bomb(monkeypatch):
    zeros = "0" * (parts.UNPACKED_LIMIT + 1)
    with pytest.raises(FileProblem, match="larger than 100 MB"):
        read(with_part(xlsx_of(HEAD), "xl/media/zeros.bin", zeros))
    for mark, limit in {b"c": "<c/>", b"row": "<row/>", b"mergeCell": "<mergeCell/>"}.items():
        monkeypatch.setitem(parts.LIMITS, mark, 1000)
        with pytest.raises(FileProblem, match="cells"):
            read(with_sheet(limit * 1001))
        monkeypatch.setitem(parts.LIMITS, mark, 1_000_000)
    strings = "<x:sst xmlns:x='y'>" + "<x:si><x:t>a</x:t></x:si>" * 1001 + "</x:sst>"
    monkeypatch.setitem(parts.LIMITS, b"si", 1000)
    with pytest.raises(FileProblem, match="texts"):
        read(with_part(xlsx_of(HEAD), "xl/sharedStrings.xml", strings))


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>',
        '<?xml version="1.0"?><!doctype x SYSTEM "file:///etc/passwd"><x/>',
        '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE x><x/>'.encode("utf-16"),
        " " * (parts.PIECE - 4) + "<!DOCTYPE x><x/>",
    ],
)
def test_it_reads_no_entities(text):
    with pytest.raises(FileProblem, match="entities|damaged"):
        read(with_part(xlsx_of(HEAD), "xl/styles.xml", text))


def test_it_survives_deep_nesting():
    nested = "<t>" * 50_000 + "</t>" * 50_000
    content = with_sheet(f"{HEAD_ROW}<row><c t='inlineStr'><is>{nested}</is></c></row>")
    assert read(content)[0] == HEAD


def test_it_reads_cells_as_they_are_shown():
    book = Workbook()
    sheet = book.active
    sheet.append(["SKU", "A", "B", "C", "D"])
    sheet.append([123, 1234.5, True, 0.1 + 0.2, "12.50"])
    sheet["A2"].number_format = "00000"
    sheet.append([123456789012, None, numbers.FORMAT_TEXT, 1e20, "_x000D_"])
    sheet["B3"] = 46112
    sheet["B3"].number_format = "dd.mm.yyyy"
    content = BytesIO()
    book.save(content)
    assert read(content.getvalue())[1] == [
        ("00123", "1234.5", "TRUE", "0.3", "12.50"),
        ("123456789012", "2026-03-31", "@", "1e+20", "\r"),
    ]
    assert read(content.getvalue(), decimal=",")[1][0][1] == "1234,5"


def test_it_says_which_cells_it_cannot_take(cast, client_of):
    rows = [
        HEAD_ROW,
        f"<row r='2'>{inline('A', 'formula')}<c><f>1+1</f><v>2</v></c></row>",
        f"<row r='3'>{inline('B', 'no result')}<c><f>1+1</f></c></row>",
        f"<row r='4'>{inline('C', 'error')}<c t='e'><v>#N/A</v></c></row>",
        f"<row r='5'>{inline('D', 'merged')}<c><v>1</v></c></row>",
        f"<row r='6'>{inline('E', 'merged')}<c><v>1</v></c></row>",
        f"<row r='8'>{inline('F', 'wide', '1', 'more')}</row>",
    ]
    content = with_sheet("".join(rows), "<mergeCells><mergeCell ref='C5:C6'/></mergeCells>")
    client = client_of(cast.admin)
    url = upload(client, "products", content, "file.xlsx").url
    assert [row[2] for row in outcomes(client, url, outcome="refused")] == [
        "Unit price: a formula without its result; save the file in the spreadsheet program",
        "Unit price: an error of the spreadsheet (#N/A)",
        "Unit price: merged with the cell beside or above it; unmerge the cells",
        "row: has more cells than there are headings",
    ]
    apply(client, url, leave_out=1)
    assert [row[:4:3] for row in products(cast)] == [("A", 2), ("D", 1), ("MILK-1", None)]


def test_it_asks_which_of_several_sheets(cast, client_of):
    book = Workbook()
    book.active.append(["Notes"])
    book.create_sheet("Prices").append(HEAD)
    book["Prices"].append(["TEA", "Tea", 1])
    book.create_sheet("Secret").sheet_state = "hidden"
    content = BytesIO()
    book.save(content)
    client = client_of(cast.admin)
    url = upload(client, "products", content.getvalue(), "file.xlsx").url
    form = client.get(url).context["form"]
    assert [name for name, _ in form.fields["sheet"].choices] == ["Sheet", "Prices"]
    assert client.post(url, {"sheet": "Prices"}).url == url
    form = client.get(url).context["form"]
    assert [form[name].initial for name in ("sku", "name", "unit_price")] == HEAD
    url = client.post(url, {"sheet": "Prices", "sku": "SKU", "name": "Name"}).url
    assert outcomes(client, url) == [(2, "created", [])]


def test_it_reads_text_in_its_own_way():
    assert read("SKU;Name\nX;caf\u00e9\n".encode("cp1252"))[1] == [("X", "caf\u00e9")]
    assert read("\ufeffSKU;Name\nX;caf\u00e9\n".encode())[1] == [("X", "caf\u00e9")]
    assert read("SKU\tName\nX\tcaf\u00e9\n".encode("utf-16"))[1] == [("X", "caf\u00e9")]
    assert read(b"SKU,Name\nX,'=1+1\nY,''+1\nZ,'plain\n")[1] == [
        ("X", "=1+1"),
        ("Y", "'+1"),
        ("Z", "'plain"),
    ]


def test_it_refuses_what_no_field_can_hold(cast, client_of):
    client = client_of(cast.admin)
    huge = b"x" * (10 * 1024 * 1024)
    lines = [b"SKU,Name", b"A," + huge, b"B,nul\0", b"C", b"D,x,y", b"E,fine"]
    url = upload(client, "products", b"\n".join(lines)).url
    assert [row[1:] for row in outcomes(client, url)] == [
        ("refused", "Name: longer than 1,000 characters"),
        ("refused", "Name: contains a NUL character"),
        ("refused", "row: 1 fields instead of 2"),
        ("refused", "row: 3 fields instead of 2"),
        ("created", []),
    ]
    assert "E,fine" not in apply(client, url, leave_out=1).content.decode()
    assert len(products(cast)) == 2


def test_it_has_a_limit_of_rows(monkeypatch, cast, client_of):
    monkeypatch.setattr(files, "ROW_LIMIT", 3)
    content = b"SKU,Name\n" + b"".join(b"%d,x\n" % n for n in range(4))
    assert "more than 3 rows" in problem(upload(client_of(cast.admin), "products", content))


def test_it_tells_doubled_and_nameless_columns_apart():
    assert distinct(["SKU", "", "SKU", " ", "SKU"]) == [
        "SKU",
        "Column 2",
        "SKU (2)",
        "Column 4",
        "SKU (3)",
    ]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
def test_it_reads_wide_characters_without_a_mark(cast, client_of, encoding):
    content = "SKU,Name\nTEA,Gr\u00fcner Tee\n".encode(encoding)
    url = upload(client_of(cast.admin), "products", content).url
    assert [row[1] for row in outcomes(client_of(cast.admin), url)] == ["created"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"SK\0U,Name\nX,Y\n", "utf-16-le or utf-16-be"),
        (b"SKU," * 100_000 + b"Name\nX,Y\n", "at most 500"),
        (with_sheet(f"<row r='2'>{inline('SKU')}</row><row r='2'>{inline('A')}</row>"), "order"),
        (with_sheet(f"<row>{inline('SKU', 'N_x0000_')}</row>"), "no text"),
        (with_part(xlsx_of(HEAD), "xl/workbook.xml", "<x><sheet name='a'/></x>"), "damaged"),
    ],
)
def test_it_answers_hostile_files(cast, client_of, content, expected):
    assert expected in problem(upload(client_of(cast.admin), "products", content))
    assert drafts(cast) == 0
