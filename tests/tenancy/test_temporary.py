"""The application's and the operator's log-in can leave no temporary table to the next request."""

import pytest
from django.db import ProgrammingError, connections, transaction
from psycopg.errors import InsufficientPrivilege

TEMPORARY = [
    "CREATE TEMP TABLE users (user_id uuid)",
    "CREATE TEMP VIEW users AS SELECT gen_random_uuid() AS user_id",
    "CREATE TEMP SEQUENCE numbers",
    "SELECT 1 AS one INTO TEMP users",
    "CREATE TABLE pg_temp.users AS SELECT 1 AS one",
    "CREATE FUNCTION pg_temp.current_customer_id() RETURNS text LANGUAGE sql AS 'SELECT 1'",
    "CREATE TYPE pg_temp.users AS (user_id uuid)",
]


@pytest.mark.parametrize("statement", TEMPORARY)
@pytest.mark.parametrize("alias", ["default", "operator"])
def test_it_makes_nothing_temporary(alias: str, statement: str) -> None:
    with pytest.raises(ProgrammingError) as refused, transaction.atomic(using=alias):  # noqa: SIM117
        with connections[alias].cursor() as cursor:
            cursor.execute(statement)
    assert isinstance(refused.value.__cause__, InsufficientPrivilege)
