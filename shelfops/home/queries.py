"""Reads of the home page. `stores` limits a query to stores; None is all of the customer's.

Bounds on `day` and `quarter` exclude chunks; `business_date` then says exactly which rows count.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from sales.days import RECENT_DAYS
from shelfops.reports.period import Period
from shelfops.reports.sql import Row, row, rows

Stores = list[UUID] | None

IN_STORES = "(%(stores)s::uuid[] IS NULL OR store_id = ANY (%(stores)s::uuid[]))"
# Weeks that a day is compared with.
WEEKS = 4
# Of a day, and of the days that it is compared with.
MEASURES = ("revenue", "units", "baskets")
# What the page lists of anything.
MOST = 5


def _days(columns: str, source: str, time: str) -> str:
    """The day and the same weekday of the weeks before it, each by its own chunks."""
    return " UNION ALL ".join(
        f"""
        SELECT {week} AS week, {columns} FROM {source}
        WHERE {time} >= %(since_{week})s AND {time} < %(until_{week})s
          AND business_date = %(day_{week})s AND {IN_STORES}
        """
        for week in range(WEEKS + 1)
    )


_MATCHED = ", ".join(
    f"sum({key}) FILTER (WHERE NOT is_now) AS {key}, sum({key}) FILTER (WHERE is_now) AS {key}_now"
    for key in MEASURES
)
_SHOWN = ", ".join(
    f"""
    (SELECT coalesce(sum({key}), 0) FROM sold WHERE week = 0) AS {key},
    sum({key}) FILTER (WHERE week = 1) AS {key}_week_before,
    sum({key}_now) FILTER (WHERE week = 1) AS {key}_week_now,
    avg({key}) AS {key}_average, avg({key}_now) AS {key}_average_now
    """
    for key in MEASURES
)
# Each of the weeks before is compared with the day by the stores that miss neither of the two
# (`sales_days`): `_now` is what those sold on the day. A day without any sales is left out of the
# average: the shops were closed, or not there yet. Baskets are the distinct receipts of a store
# and day.
DAY = f"""
WITH sales AS (
    SELECT week, store_id, sum(revenue) AS revenue, sum(quantity_sold) AS units
    FROM ({_days("store_id, revenue, quantity_sold", "daily_store_sales", "day")}) AS days
    GROUP BY week, store_id
),
receipts AS (
    SELECT week, store_id, count(*) AS baskets
    FROM (SELECT DISTINCT week, store_id, receipt
          FROM ({_days("store_id, receipt", "receipts", "quarter")}) AS lines) AS lines
    GROUP BY week, store_id
),
sold AS MATERIALIZED (
    SELECT week, store_id, revenue, units, coalesce(baskets, 0) AS baskets
    FROM sales LEFT JOIN receipts USING (week, store_id)
),
missing AS MATERIALIZED (
    SELECT (%(day_0)s - day) / 7 AS week, store_id, day
    FROM sales_days(now(), %(day_{WEEKS})s, %(day_0)s, %(stores)s::uuid[])
    WHERE NOT has_sales AND mod(%(day_0)s - day, 7) = 0
),
compared AS MATERIALIZED (
    SELECT pairs.*, missing.store_id IS NOT NULL AS is_left_out, missing.day AS missing_on
    FROM (
        SELECT week, store_id, false AS is_now, revenue, units, baskets FROM sold WHERE week > 0
        UNION ALL
        SELECT before.week, store_id, true, revenue, units, baskets
        FROM sold CROSS JOIN (SELECT DISTINCT week FROM sold WHERE week > 0) AS before
        WHERE sold.week = 0
    ) AS pairs
    LEFT JOIN missing ON missing.store_id = pairs.store_id
                     AND missing.week = CASE WHEN is_now THEN pairs.week ELSE 0 END
),
weeks AS (
    SELECT week, {_MATCHED}
    FROM compared WHERE NOT is_left_out GROUP BY week
)
SELECT count(*) AS weeks, {_SHOWN},
       (SELECT count(DISTINCT store_id) FROM sold) AS stores,
       (SELECT count(DISTINCT store_id) FROM compared WHERE is_left_out) AS left_out,
       (SELECT array_agg(DISTINCT missing_on ORDER BY missing_on) FROM compared
        WHERE is_left_out) AS missing_on
FROM weeks
"""

# Silent is a store that has missed a day on which it was expected to sell, and has sold nothing
# since; see sales_days of the database.
FEEDS = f"""
WITH days AS MATERIALIZED (
    SELECT store_id, max(day) FILTER (WHERE has_sales) AS last_day,
           max(day) FILTER (WHERE NOT has_sales) AS last_missing
    FROM sales_days(now(), current_date - {RECENT_DAYS}, current_date + 1, %(stores)s::uuid[])
    GROUP BY store_id
),
feeds AS (
    SELECT store_id, name, last_day,
           last_missing IS NOT NULL AND last_missing > coalesce(last_day, '-infinity') AS is_silent
    FROM stores LEFT JOIN days USING (store_id)
    WHERE is_active AND {IN_STORES}
)
SELECT count(*) AS stores, count(*) FILTER (WHERE last_day IS NULL AND NOT is_silent) AS never,
       count(*) FILTER (WHERE is_silent) AS silent,
       (array_agg(name ORDER BY last_day NULLS FIRST, name) FILTER (WHERE is_silent))[:{MOST}]
           AS names
FROM feeds
"""

# Stock and orders. The velocity is the one of 7 days, of which a first page has the time to read
# `daily_sales` (28 take four times as long); the join keeps what is in stock before it adds up.
STOCK = f"""
WITH sold AS MATERIALIZED (
    SELECT store_id, product_id, sum(quantity_sold) AS units
    FROM daily_sales JOIN current_stock USING (store_id, product_id)
    WHERE day >= %(since)s AND day < %(until)s AND business_date BETWEEN %(start)s AND %(end)s
      AND {IN_STORES}
    GROUP BY store_id, product_id
)
SELECT count(*) AS rows,
       count(*) FILTER (WHERE quantity_available <= r.reorder_point) AS below,
       count(*) FILTER (WHERE quantity_available <= 0) AS empty,
       count(*) FILTER (WHERE quantity_available > 0
                          AND quantity_available * %(days)s < units * 7) AS soon
FROM current_stock
LEFT JOIN sold USING (store_id, product_id)
LEFT JOIN (SELECT store_id, product_id, reorder_point FROM reorder_points
           WHERE effective_from <= now() AND (effective_to IS NULL OR effective_to > now())) AS r
     USING (store_id, product_id)
WHERE {IN_STORES}
"""

# Open alerts that nothing hides, by idx_alerts_shown.
ALERT_COUNTS = f"""
SELECT count(*) AS all, count(*) FILTER (WHERE severity = 'critical') AS critical,
       count(*) FILTER (WHERE severity = 'warning') AS warning,
       count(*) FILTER (WHERE severity = 'info') AS info,
       coalesce(sum(money_at_stake), 0) AS money_at_stake
FROM alerts WHERE status = 'open' AND hidden_by = '' AND {IN_STORES}
"""
ALERTS = f"""
SELECT a.alert_id, a.alert_type, a.severity, a.message, a.opened_at, a.money_at_stake,
       s.name AS store, p.name AS product
FROM (
    SELECT alert_id, alert_type, severity, message, opened_at, money_at_stake, priority,
           store_id, product_id
    FROM alerts WHERE status = 'open' AND hidden_by = '' AND {IN_STORES}
    ORDER BY priority DESC, money_at_stake DESC, alert_id LIMIT {MOST}
) AS a
JOIN stores s ON s.store_id = a.store_id
LEFT JOIN products p ON p.product_id = a.product_id
ORDER BY a.priority DESC, a.money_at_stake DESC, a.alert_id
"""

# Imports by idx_import_batches_started; what was undone has refused nothing any more.
IMPORTS = """
SELECT max(started_at) FILTER (WHERE status = 'done') AS last_done,
       count(*) FILTER (WHERE status = 'failed' AND started_at >= %(week)s) AS failed,
       count(*) FILTER (WHERE status = 'running') AS running,
       coalesce(sum(rows_refused) FILTER (WHERE status = 'done' AND started_at >= %(week)s), 0)
           AS refused
FROM import_batches
"""
# The latest evaluation of the alerts' rules, by idx_alert_evaluations_as_of.
EVALUATION = "SELECT as_of, error FROM alert_evaluations ORDER BY as_of DESC LIMIT 1"


def day_against(stores: Stores, day: date) -> Row:
    """Revenue, units and baskets of a day, of a week before, and on average of the last 4 weeks.

    `weeks` says of how many weeks that average is; without sales in them it is None. `left_out`
    is how many of the `stores` are left out somewhere, since they lack sales on a day of
    `missing_on`; figures with `_now` are the day's without these.
    """
    params: dict[str, Any] = {"stores": stores}
    for week in range(WEEKS + 1):
        same = Period.ending(day - timedelta(weeks=week), 1)
        params |= {f"day_{week}": same.start, f"since_{week}": same.since}
        params[f"until_{week}"] = same.until
    return row(DAY, params)


def feeds(stores: Stores) -> Row:
    """How many active `stores` there are, and of how many sales have `never` come or are missing.

    `silent` have missed a day on which they usually sell; `names` are of the longest silent.
    """
    return row(FEEDS, {"stores": stores})


def stock(stores: Stores, period: Period) -> Row:
    """Products in stores: how many, `below` the reorder point, `empty`, and `soon` to be empty.

    Soon is within 7 days at the velocity of the period.
    """
    return row(STOCK, {**period.params(), "stores": stores})


def alert_counts(stores: Stores) -> Row:
    return row(ALERT_COUNTS, {"stores": stores})


def alerts(stores: Stores) -> list[Row]:
    """The most urgent open alerts."""
    return rows(ALERTS, {"stores": stores})


def imports() -> Row:
    """When the last import was done, and of the last 7 days how many failed and rows refused."""
    return row(IMPORTS, {"week": datetime.now(UTC) - timedelta(days=7)})


def is_evaluated() -> bool:
    """Whether the alerts' rules have ever been evaluated."""
    return bool(rows(EVALUATION, {}))


def failed_evaluation() -> Row | None:
    """The latest evaluation of alerts, if it failed."""
    found = rows(EVALUATION, {})
    return found[0] if found and found[0]["error"] else None
