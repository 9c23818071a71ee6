"""The record of who logged in and who failed to, which the customer's admin reads."""

from uuid import uuid4

from django.db import connection

from shelfops.tenancy.context import set_local
from shelfops.tenancy.models import LogIn, User

RECORD = """
INSERT INTO log_ins (customer_id, user_id, outcome, address, is_known)
SELECT customer_id, user_id, %(outcome)s, %(address)s, %(is_known)s
FROM users WHERE user_id = %(user)s
"""


def record(
    user: User | None, outcome: LogIn.Outcome, address: str | None, *, is_known: bool
) -> None:
    """Write it down under the user's customer; call it inside a transaction.

    For nobody it does the same and finds no row, so that it takes as long.
    """
    user_id, customer_id = (user.pk, user.customer_id) if user else (uuid4(), uuid4())
    set_local("current_user_id", user_id)
    set_local("current_customer_id", customer_id)
    with connection.cursor() as cursor:
        params = {"outcome": outcome, "address": address, "is_known": is_known, "user": user_id}
        cursor.execute(RECORD, params)
    if outcome != LogIn.Outcome.IN:
        set_local("current_user_id", None)
        set_local("current_customer_id", None)
