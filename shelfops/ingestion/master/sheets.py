"""Reads the rows of a spreadsheet file (XLSX) as text.

Nothing is parsed before its size is known to be bearable: what the archive unpacks to, its rows,
cells and texts are counted first, and a document type, the door to entities, is refused.

An own reader, since what libraries give when they stream does not tell a formula without its
result from an empty cell, or a merged cell from one that was left out, and both would empty
fields that nobody meant to empty.
"""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from posixpath import join, normpath
from typing import TypeAlias
from xml.etree import ElementTree as ET

import pyarrow

from shelfops.ingestion.master.parts import SHEET_ROWS, Parts, explained, local
from shelfops.ingestion.rows import (
    CHARACTERS_AT_ONCE,
    COLUMN_LIMIT,
    FIELD_LIMIT,
    ROWS_AT_ONCE,
    TEXTS,
    FileProblem,
    Flaw,
    Rows,
    checked_header,
    tidied,
)

TEXT_LIMIT = 50_000_000
SHEETS_LIMIT, MERGED_LIMIT = 255, 200_000

# A character that XML cannot have, as Excel writes it.
ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
REFERENCE = re.compile(r"\$?([A-Z]{1,3})\$?(\d{1,7})")

DATE_FORMATS = {*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)}
NOT_OF_THE_FORMAT = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.|_.|\*.')
LAST_SERIAL = 2_958_465
# Longer formats are none that a spreadsheet program writes.
FORMAT_LIMIT = 255

NO_RESULT = "a formula without its result; save the file in the spreadsheet program"
MERGED = "merged with the cell beside or above it; unmerge the cells"

# Text and what is wrong with it, by column; and the number of the row.
Cells: TypeAlias = dict[int, tuple[str, str]]
NumberedRow: TypeAlias = tuple[int, Cells]


class SheetRows:
    """Rows of one sheet: that of the name, or the first that can be seen.

    `header` is its first row that is not empty; `sheets` names all that can be seen. A number
    that is no text is written with the sign that the file's texts use for decimals.
    """

    plain: frozenset[int] = frozenset()

    def __init__(self, content: bytes, sheet: str | None = None, decimal: str = ".") -> None:
        self.decimal = decimal
        with explained():
            self.parts = parts = Parts(content)
            if "xl/workbook.xml" not in parts:
                raise FileProblem("This is no XLSX file. Save it as XLSX or CSV.")
            self.paths = self.visible_sheets()
            self.sheets = list(self.paths)
            if not self.sheets:
                raise FileProblem("The file has no sheet that can be seen.")
            self.sheet = sheet if sheet in self.paths else self.sheets[0]
            self.strings = self.shared_strings() if "xl/sharedStrings.xml" in parts else []
            self.formats = self.number_formats() if "xl/styles.xml" in parts else []
            self.cells = self.numbered_rows()
            self.row_line, first = next(self.cells, (0, {}))
            if not first:
                raise FileProblem(f"The sheet {self.sheet} is empty.")
            self.header = checked_header(
                [first.get(index, ("", ""))[0] for index in range(max(first) + 1)]
            )

    def visible_sheets(self) -> dict[str, str]:
        """The path of each by its name."""
        book = self.parts.tree("xl/workbook.xml")
        properties = next((each for each in book if local(each) == "workbookPr"), None)
        self.since_1904 = properties is not None and properties.get("date1904") in ("1", "true")
        relations = self.parts.tree("xl/_rels/workbook.xml.rels")
        targets = {each.get("Id"): each.get("Target", "") for each in relations}
        found = {}
        for sheet in book.iter():
            if local(sheet) == "sheet" and sheet.get("state", "visible") == "visible":
                keys = [value for name, value in sheet.items() if name.endswith("}id")]
                path = normpath(join("/xl", targets[keys[0]]))
                found[sheet.get("name", "")] = path.lstrip("/")
        if len(found) > SHEETS_LIMIT:
            raise FileProblem(f"The file has more than {SHEETS_LIMIT} sheets.")
        return found

    def shared_strings(self) -> list[str]:
        """What is longer than a field can be is cut; one character more tells that it was."""
        texts, size = [], 0
        for element in self.parts.elements("xl/sharedStrings.xml", "si"):
            texts.append(inner_text(element)[: FIELD_LIMIT + 1])
            size += len(texts[-1])
            if size > TEXT_LIMIT:
                raise FileProblem(f"The file has texts of more than {TEXT_LIMIT:,} characters.")
        return texts

    def number_formats(self) -> list[str]:
        """The number format of each cell style: the pattern, or "date"."""
        styles = self.parts.tree("xl/styles.xml")
        own = {
            int(each.get("numFmtId", 0)): each.get("formatCode", "")
            for each in styles.iter()
            if local(each) == "numFmt"
        }
        return [
            pattern(int(style.get("numFmtId", 0)), own)
            for styles_used in styles
            if local(styles_used) == "cellXfs"
            for style in styles_used
        ]

    def numbered_rows(self) -> Iterator[NumberedRow]:
        """Line and cells of each row that is not empty: text and what is wrong, by column."""
        merged = self.merged_cells()
        number = 0
        for element in self.parts.elements(self.paths[self.sheet], "row"):
            before, number = number, int(element.get("r", number + 1))
            if number > SHEET_ROWS:
                raise FileProblem(f"The sheet has a row {number:,}, which no sheet can have.")
            if number <= before:
                raise FileProblem(f"The XLSX file is damaged: row {number} is out of order.")
            cells = self.cells_of(element)
            for index in merged.get(number, ()):
                cells[index] = ("", MERGED)
            if any(text or wrong for text, wrong in cells.values()):
                yield number, cells

    def merged_cells(self) -> dict[int, list[int]]:
        """The columns that another cell covers, by row."""
        covered: dict[int, list[int]] = {}
        size = 0
        for element in self.parts.elements(self.paths[self.sheet], "mergeCell"):
            area = element.get("ref", "")
            (left, top), (right, bottom) = corners(area)
            size += (bottom - top + 1) * (right - left + 1)
            if size > MERGED_LIMIT or right - left > COLUMN_LIMIT:
                raise FileProblem(f"The cells {area} are merged. Unmerge them.")
            for row in range(top, bottom + 1):
                columns = [c for c in range(left, right + 1) if (c, row) != (left, top)]
                covered.setdefault(row, []).extend(columns)
        return covered

    def cells_of(self, row: ET.Element) -> Cells:
        cells: Cells = {}
        index = -1
        for cell in row:
            reference = cell.get("r")
            index = place(reference)[0] if reference else index + 1
            read = self.read(cell)
            if any(read):
                cells[index] = read
        return cells

    def read(self, cell: ET.Element) -> tuple[str, str]:
        """The cell's text, and what is wrong with it."""
        kind = cell.get("t", "n")
        if kind == "inlineStr":
            return "".join(map(inner_text, cell)), ""
        parts = {local(each): each.text or "" for each in cell}
        value = parts.get("v", "")
        if "f" in parts and not value and kind != "str":
            return "", NO_RESULT
        if kind == "s":
            return self.strings[abs(int(value))] if value else "", ""
        if kind == "b":
            return "TRUE" if value == "1" else "FALSE", ""
        if kind == "e":
            return value, f"an error of the spreadsheet ({value})"
        if kind in ("str", "d"):
            return unescaped(value), ""
        return self.number(value, int(cell.get("s", 0)))

    def number(self, value: str, style: int) -> tuple[str, str]:
        if not value:
            return "", ""
        number = float(value)
        shown = self.formats[style] if style < len(self.formats) else ""
        if shown == "date":
            return self.moment(number)
        if number.is_integer() and abs(number) < 1e15:
            digits = str(int(number))
            return digits.zfill(len(shown)) if re.fullmatch("0{2,}", shown) else digits, ""
        return f"{number:.15g}".replace(".", self.decimal), ""

    def moment(self, serial: float) -> tuple[str, str]:
        """Days since the end of 1899, or since 1904; 1900 had no 29 February but in Excel."""
        if not 0 < serial < LAST_SERIAL:
            return f"{serial:g}", "not a date"
        start = datetime(1904, 1, 1) if self.since_1904 else datetime(1899, 12, 30)  # noqa: DTZ001
        days = serial if self.since_1904 or serial >= 61 else serial + 1
        at = start + timedelta(milliseconds=round(days * 86_400_000))
        return str(at.date() if at == datetime(*at.timetuple()[:3]) else at), ""  # noqa: DTZ001

    def rows(self, wanted: list[int]) -> Iterator[Rows]:
        group: list[NumberedRow] = []
        size = total = 0
        with explained():
            for number, cells in self.cells:
                group.append((number, cells))
                size += sum(len(text) for text, _ in cells.values())
                if total + size > TEXT_LIMIT:
                    raise FileProblem(f"The sheet has more than {TEXT_LIMIT:,} characters.")
                if len(group) >= ROWS_AT_ONCE or size >= CHARACTERS_AT_ONCE:
                    yield self.grouped(group, wanted)
                    total, size, group = total + size, 0, []
            if group:
                yield self.grouped(group, wanted)

    def grouped(self, group: list[NumberedRow], wanted: list[int]) -> Rows:
        flaws: dict[int, Flaw] = {}
        width, texts = len(self.header), []
        for position, (_, cells) in enumerate(group):
            for index, (_text, wrong) in sorted(cells.items()):
                if wrong and index in wanted:
                    flaws.setdefault(position, (self.header[index][:64], wrong))
                if index >= width:
                    flaws.setdefault(position, ("row", "has more cells than there are headings"))
            texts.append(
                [
                    tidied(cells.get(index, ("", ""))[0], self.header[index], position, flaws)
                    for index in range(width)
                ]
            )
        columns = list(zip(*texts, strict=True))
        read = {index: pyarrow.array(columns[index], pyarrow.string()) for index in wanted}
        return Rows([line for line, _ in group], read, pyarrow.array(texts, TEXTS), flaws)


def pattern(number: int, own: dict[int, str]) -> str:
    code = NOT_OF_THE_FORMAT.sub("", own.get(number, "")[:FORMAT_LIMIT])
    return "date" if number in DATE_FORMATS or re.search("[dmyhs]", code, re.I) else code


def inner_text(element: ET.Element) -> str:
    """The text itself or its runs, without the reading aid that Japanese texts have."""
    texts = []
    for child in element:
        tag = local(child)
        if tag == "t":
            texts.append(child.text or "")
        elif tag == "r":
            texts += [part.text or "" for part in child if local(part) == "t"]
    return unescaped("".join(texts))


def unescaped(text: str) -> str:
    return ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text


def place(reference: str) -> tuple[int, int]:
    """Column, counted from 0, and row of a reference such as B12."""
    found = REFERENCE.fullmatch(reference)
    if not found:
        raise FileProblem(f"The XLSX file is damaged: there is no cell {reference[:20]}.")
    column = 0
    for letter in found[1]:
        column = column * 26 + ord(letter) - 64
    return column - 1, int(found[2])


def corners(area: str) -> tuple[tuple[int, int], tuple[int, int]]:
    first, _, last = area.partition(":")
    return place(first), place(last or first)
