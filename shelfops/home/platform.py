"""What a platform operator sees: every customer with its feeds and counts."""

from typing import Any

from shelfops.reports.sql import rows

MOST = 48

# The function looks at one customer after the other, as that customer; only an operator who is
# logged in sees any.
CUSTOMERS = """
SELECT customer_id, name, currency, is_active, stores, users, last_day, last_import, failed_imports,
       open_alerts
FROM customers_overview(%(most)s)
ORDER BY name, customer_id
"""


def overview() -> dict[str, Any]:
    """The first customers by name, with how many stores, users and alerts each has."""
    found = rows(CUSTOMERS, {"most": MOST + 1})
    return {"customers": found[:MOST], "more_customers": len(found) > MOST}
