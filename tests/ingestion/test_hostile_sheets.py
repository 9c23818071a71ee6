"""XLSX files that are made to do harm: each is refused, in bounded memory."""

from io import BytesIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from shelfops.ingestion.files import FileProblem
from shelfops.ingestion.master import parts
from shelfops.ingestion.master.files import MasterRows
from tests.ingestion.master import xlsx_of
from tests.ingestion.measuring import read
from tests.ingestion.test_master_files import HEAD, HEAD_ROW, inline, sheet_xml, with_part

# What reading any spreadsheet may take; without one it is about 100 MB.
MEGABYTES = 500
SHEET = "xl/worksheets/sheet1.xml"
# An entity, and enough of nothing for a parser to let it be used a hundredfold.
BOMB = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e "{"x" * 100_000}">]>'
PADDING = f"<!--{' ' * 12_000_000}-->"


def renamed(content: bytes, old: str, new: str, **texts: str | bytes) -> bytes:
    """The XLSX file with a part under another name, in every part that names it."""
    made = BytesIO()
    with ZipFile(BytesIO(content)) as archive, ZipFile(made, "w", ZIP_DEFLATED) as target:
        for name in archive.namelist():
            text = archive.read(name)
            if name.endswith((".rels", "Types].xml")):
                text = text.replace(old.encode(), new.encode())
            target.writestr(name.replace(old, new), text)
    return made.getvalue()


def entities(name: str) -> bytes:
    """19 kB that become a text of 1 GB."""
    cell = f"<c t='inlineStr'><is><t>{'&e;' * 10_000}</t></is></c>"
    text = BOMB + PADDING + sheet_xml(f"{HEAD_ROW}<row>{cell}</row>").partition("?>")[2]
    return with_part(renamed(xlsx_of(HEAD), "sheet1.xml", name), f"xl/worksheets/{name}", text)


@pytest.mark.parametrize("name", ["sheet1.xml", "sheet1.bin", "sheet1", "sheet1.png"])
def test_it_reads_no_entities_whatever_the_part_is_called(tmp_path: Path, name: str) -> None:
    content = entities(name)
    assert len(content) < 25_000
    path = tmp_path / "file.xlsx"
    path.write_bytes(content)
    megabytes, said = read(path, "master")
    assert "entities" in said
    assert megabytes < MEGABYTES


def test_it_reads_parts_of_any_name() -> None:
    content = renamed(xlsx_of(HEAD, ["X", "Y", "1"]), "sheet1.xml", "sheet1.bin")
    assert MasterRows(content, {}).header == HEAD


@pytest.mark.parametrize("encoding", ["cp037", "utf-16", "iso-8859-1"])
def test_it_reads_nothing_but_utf_8(encoding: str) -> None:
    """In another encoding a document type, or a million cells, would not be recognised."""
    start = f'<?xml version="1.0" encoding="{encoding}"?>'
    rest = BOMB.partition("?>")[2] + sheet_xml(HEAD_ROW).partition("?>")[2]
    text = start.encode() + rest.encode(encoding)
    if encoding == "utf-16":
        text = (start + rest).encode(encoding)
    with pytest.raises(FileProblem, match="UTF-8"):
        MasterRows(with_part(xlsx_of(HEAD), SHEET, text), {})


def with_sheet(rows: str, after: str = "") -> bytes:
    return with_part(xlsx_of(HEAD), SHEET, sheet_xml(rows, after))


STRING = "<t>" + "x" * 1_000 + "</t>"
HOSTILE = {
    "one text in two million cells": lambda: with_part(
        with_sheet(HEAD_ROW + ("<row>" + "<c t='s'><v>0</v></c>" * 190 + "</row>") * 10_000),
        "xl/sharedStrings.xml",
        f"<sst xmlns='x'><si>{STRING}</si></sst>",
    ),
    "elements that are no cells": lambda: with_sheet(HEAD_ROW, "<x/>" * 8_000_000),
    "elements in the styles": lambda: with_part(
        xlsx_of(HEAD), "xl/styles.xml", "<x>" + "<x/>" * 8_000_000 + "</x>"
    ),
    "elements in the workbook": lambda: with_part(
        xlsx_of(HEAD), "xl/workbook.xml", "<x>" + "<x/>" * 8_000_000 + "</x>"
    ),
    "elements in a cell": lambda: with_sheet(
        HEAD_ROW + "<row><c t='inlineStr'><is>" + "<t/>" * 8_000_000 + "</is></c></row>"
    ),
    "attributes": lambda: with_sheet(
        HEAD_ROW + "<row " + " ".join(f"a{n}='1'" for n in range(2_000_000)) + "/>"
    ),
    "a text of 90 MB": lambda: with_sheet(f"{HEAD_ROW}<row>{inline('x' * 90_000_000)}</row>"),
    "texts of four bytes a character": lambda: with_part(
        with_sheet(HEAD_ROW),
        "xl/sharedStrings.xml",
        "<sst xmlns='x'>" + f"<si><t>\U0001f34b{'x' * 900}</t></si>" * 90_000 + "</sst>",
    ),
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_it_needs_no_more_memory_than_it_says(tmp_path: Path, make) -> None:
    path = tmp_path / "file.xlsx"
    path.write_bytes(make())
    megabytes, said = read(path, "master")
    assert megabytes < MEGABYTES, said


@pytest.mark.parametrize("text", ["_x0000_", "_xD800_"])
def test_it_refuses_characters_that_nothing_holds(text: str) -> None:
    with pytest.raises(FileProblem, match="characters"):
        MasterRows(with_sheet(f"<row>{inline('SKU', f'Name{text}')}</row>"), {})
    rows = MasterRows(with_sheet(f"{HEAD_ROW}<row>{inline('A', f'Tea{text}')}</row>"), {})
    [group] = rows.rows([0, 1])
    assert list(group.flaws) == [0]


def test_it_counts_what_it_parses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in a part whose name says that it is a picture."""
    monkeypatch.setitem(parts.LIMITS, b"c", 1_000)
    content = renamed(with_sheet("<row>" + "<c/>" * 1_001 + "</row>"), "sheet1.xml", "sheet1.png")
    with pytest.raises(FileProblem, match="cells"):
        MasterRows(content, {})
