"""The refused rows of an import as a CSV file, to be put right and imported again."""

import csv
import re
from collections.abc import Iterator
from itertools import chain

from django.db.models import F, Func, IntegerField, Max, Q, QuerySet

from inventory.models import Store
from shelfops.ingestion.models import ImportBatch, RefusedRow
from shelfops.reports.export import BYTE_ORDER_MARK, Echo, safe
from shelfops.tenancy.models import User

# No names that a feed's columns have, so that the file can be imported as it is.
HEAD = ["Refused line", "Refused field", "Refused reason"]
NUMBER = re.compile(r"[+-]?[\d.,]+", re.ASCII)


def visible_to(user: User, rows: QuerySet[RefusedRow]) -> QuerySet[RefusedRow]:
    """Of `rows` those of the user's stores, and of the user's own files.

    A row knows its store by the file's code alone.
    """
    if not user.is_store_scoped:
        return rows
    codes = Store.objects.visible_to(user).values_list("code", flat=True)
    return rows.filter(Q(content__store__in=list(codes)) | Q(batch__imported_by=user.email))


def refused_csv(batch: ImportBatch, user: User | None = None) -> Iterator[str]:
    """The file, line by line; to be read in the transaction of the batch's customer.

    With a user, of the rows that they may see.
    """
    rows = RefusedRow.objects.filter(batch=batch).order_by("line_number")
    rows = rows if user is None else visible_to(user, rows)
    header = columns_of(batch)
    writer = csv.writer(Echo())
    yield BYTE_ORDER_MARK + writer.writerow(HEAD + [cell(name) for name in header])
    fields = rows.values_list("line_number", "field", "reason", "content")
    for line, field, reason, content in fields.iterator(chunk_size=1_000):
        given = content.get("original") or [content.get(name) for name in header]
        yield writer.writerow(chain([line], map(cell, [field, reason, *given])))


def columns_of(batch: ImportBatch) -> list[str]:
    """The file's header, with a name for what a row has beyond it; or the feed's columns."""
    refused = RefusedRow.objects.filter(batch=batch)
    if header := batch.metadata.get("columns"):
        length = Func(
            F("content__original"), function="jsonb_array_length", output_field=IntegerField()
        )
        longest = refused.aggregate(longest=Max(length))["longest"] or 0
        return [*header, *(f"Field {n}" for n in range(len(header) + 1, longest + 1))]
    first = refused.values_list("content", flat=True).first() or {}
    return sorted(first)


def cell(value: object) -> str:
    """Text that a spreadsheet takes for no formula; a plain number is none."""
    text = "" if value is None else str(value)
    return text if NUMBER.fullmatch(text) else safe(text)
