"""SQL as the application's role over a log-in of its own, each statement in one transaction.

`act_as` says who the statements work for, as the web would; attacks say it by themselves.
"""

from typing import Any
from uuid import UUID

import psycopg

from shelfops.tenancy.signing import NOBODY, Identity, Purpose, opening, say


class Sql:
    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection
        self.identity = NOBODY

    def act_as(
        self,
        customer: UUID | None,
        user: UUID | None = None,
        purpose: Purpose = Purpose.WORK,
        detail: str = "",
    ) -> None:
        self.identity = Identity(customer, user, purpose, detail)

    def execute(self, statement: Any, params: Any = None) -> psycopg.Cursor:
        with self.connection.transaction():
            say(self.connection, self.identity, opening(self.connection))
            return self.connection.execute(statement, params)
