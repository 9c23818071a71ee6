"""Attacks with INSERT on the ledgers: whoever may add to the own one learns nothing of others'."""

from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, connections
from psycopg import errors, sql

from shelfops.tenancy.context import tenant
from tests.cast import Cast
from tests.ingestion.columnstore import compress, packed
from tests.ingestion.feeding import days_ago, query

LEDGERS = {
    "transactions": {
        "sold_at": days_ago(30),
        "business_date": days_ago(30).date(),
        "receipt": "R1",
        "line": 1,
        "quantity": 2,
        "unit_price": 1.5,
        "total_amount": 3,
    },
    "inventory_levels": {"timestamp": days_ago(30), "quantity_on_hand": 5},
    "forecasts": {
        "forecast_for": days_ago(30).date(),
        "issued_at": days_ago(31),
        "model": "naive",
        "quantity": 4,
    },
}
# A key that nobody has.
FREE = {"transactions": {"line": 99}, "inventory_levels": {"timestamp": days_ago(29)}}
FREE["forecasts"] = {"model": "none"}


def insert(ledger: str, row: dict[str, Any], ending: str = "") -> sql.Composed:
    return sql.SQL("INSERT INTO {} ({}) VALUES ({}) " + ending).format(
        sql.Identifier(ledger),
        sql.SQL(", ").join(map(sql.Identifier, row)),
        sql.SQL(", ").join(map(sql.Placeholder, row)),
    )


def theirs(cast: Cast, ledger: str) -> dict[str, Any]:
    """A row that the other customer has."""
    keys = {"store_id": cast.other_store.pk, "product_id": cast.other_product.pk}
    row = keys | LEDGERS[ledger]
    with tenant(cast.other_customer), connections["default"].cursor() as cursor:
        cursor.execute(insert(ledger, row), row)
    compress(ledger)
    return {"customer_id": cast.other_customer.pk} | row


def answer(cast: Cast, statement: sql.Composed, row: dict[str, Any]) -> tuple[str, str]:
    """What the application's role is told: an error's code and text, or how many rows."""
    try:
        with tenant(cast.customer), connections["default"].cursor() as cursor:
            cursor.execute(statement, row)
            return "done", str(cursor.rowcount)
    except Exception as error:
        cause = error.__cause__
        assert isinstance(cause, psycopg.Error), error
        return cause.sqlstate or "", str(cause)


@pytest.mark.parametrize("ending", ["", "ON CONFLICT DO NOTHING"])
@pytest.mark.parametrize("ledger", LEDGERS)
def test_it_does_not_tell_whether_another_customer_has_a_row(
    cast: Cast, ledger: str, ending: str
) -> None:
    there = theirs(cast, ledger)
    answers = {
        answer(cast, insert(ledger, row, ending), row) for row in (there, there | FREE[ledger])
    }
    assert len(answers) == 1, answers
    [(code, _)] = answers
    assert code in {"42501", "0A000"}  # the column is not theirs to name; or no such statement


@pytest.mark.parametrize("ledger", LEDGERS)
def test_it_leaves_another_customers_columnstore_as_it_is(cast: Cast, ledger: str) -> None:
    there = theirs(cast, ledger)
    assert packed(ledger, cast.other_customer) == 1
    for ending in ("", "ON CONFLICT DO NOTHING", "RETURNING store_id"):
        answer(cast, insert(ledger, there, ending), there)
    assert packed(ledger, cast.other_customer) == 1


@pytest.mark.parametrize("ledger", LEDGERS)
def test_it_adds_to_the_own_ledger_what_is_not_there_yet(cast: Cast, ledger: str) -> None:
    keys = {"store_id": cast.store.pk, "product_id": cast.product.pk}
    row = keys | LEDGERS[ledger]
    theirs(cast, ledger)
    assert [answer(cast, insert(ledger, row), row) for _ in range(2)] == [
        ("done", "1"),
        ("done", "0"),
    ]
    assert query(cast.customer, f"SELECT store_id, product_id FROM {ledger}") == [
        (cast.store.pk, cast.product.pk)
    ]


@pytest.mark.parametrize("ledger", LEDGERS)
def test_it_writes_nothing_without_a_customer(cast: Cast, ledger: str) -> None:
    row = {"store_id": cast.store.pk, "product_id": cast.product.pk} | LEDGERS[ledger]
    with pytest.raises(IntegrityError) as refused, connections["default"].cursor() as cursor:
        cursor.execute(insert(ledger, row), row)
    assert isinstance(refused.value.__cause__, errors.NotNullViolation)
