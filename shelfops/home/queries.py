"""Reads of the home page. `stores` limits a query to stores; None is all of the customer's.

Bounds on `day` and `quarter` exclude chunks; `business_date` then says exactly which rows count.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from shelfops.reports.period import Period
from shelfops.reports.sql import Row, row, rows

Stores = list[UUID] | None

IN_STORES = "(%(stores)s::uuid[] IS NULL OR store_id = ANY (%(stores)s::uuid[]))"
# Weeks that a day is compared with.
WEEKS = 4
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


# A day without any sales is left out of the average: the shops were closed, or not there yet.
# Baskets are the distinct receipts of a store and day.
DAY = f"""
WITH sales AS (
    SELECT week, sum(revenue) AS revenue, sum(quantity_sold) AS units
    FROM ({_days("revenue, quantity_sold", "daily_store_sales", "day")}) AS days
    GROUP BY week
),
baskets AS (
    SELECT week, count(*) AS baskets
    FROM (SELECT DISTINCT week, store_id, receipt
          FROM ({_days("store_id, receipt", "receipts", "quarter")}) AS lines) AS receipts
    GROUP BY week
)
SELECT count(*) FILTER (WHERE week > 0) AS weeks,
       coalesce(sum(revenue) FILTER (WHERE week = 0), 0) AS revenue,
       sum(revenue) FILTER (WHERE week = 1) AS revenue_week_before,
       avg(revenue) FILTER (WHERE week > 0) AS revenue_average,
       coalesce(sum(units) FILTER (WHERE week = 0), 0) AS units,
       sum(units) FILTER (WHERE week = 1) AS units_week_before,
       avg(units) FILTER (WHERE week > 0) AS units_average,
       coalesce(sum(baskets) FILTER (WHERE week = 0), 0) AS baskets,
       sum(baskets) FILTER (WHERE week = 1) AS baskets_week_before,
       avg(baskets) FILTER (WHERE week > 0) AS baskets_average
FROM sales LEFT JOIN baskets USING (week)
"""

# Each store's own rhythm: on which weekdays it sold something in three and in more than half of
# the eight weeks before its last sale. Silent is a store that has missed such a day since. A
# store that has sold nothing for 13 weeks is no longer expected to; older days are not read.
FEEDS = f"""
WITH days AS MATERIALIZED (
    SELECT DISTINCT store_id, business_date FROM daily_store_sales
    WHERE day >= %(since)s AND {IN_STORES}
),
lasts AS (
    SELECT store_id, max(business_date) AS last_day, min(business_date) AS first_day FROM days
    GROUP BY store_id
),
weekdays AS (
    SELECT store_id, extract(isodow FROM business_date) AS weekday
    FROM days JOIN lasts USING (store_id)
    WHERE business_date > last_day - 56
    GROUP BY store_id, weekday, last_day, first_day
    HAVING count(*) > least(56, last_day - first_day + 1) / 14.0 AND count(*) >= 3
),
missed AS (
    SELECT store_id,
           last_day + 1 + min(mod((weekday - extract(isodow FROM last_day) + 6)::integer, 7))
               AS expected_on
    FROM weekdays JOIN lasts USING (store_id)
    GROUP BY store_id, last_day
),
feeds AS (
    SELECT store_id, name, last_day,
           coalesce(expected_on < (now() AT TIME ZONE time_zone)::date, false) AS is_silent
    FROM stores LEFT JOIN lasts USING (store_id) LEFT JOIN missed USING (store_id)
    WHERE is_active AND {IN_STORES}
)
SELECT count(*) AS stores, count(*) FILTER (WHERE last_day IS NULL) AS never,
       count(*) FILTER (WHERE is_silent) AS silent, max(last_day) AS last_day,
       (array_agg(name ORDER BY last_day, name) FILTER (WHERE is_silent))[:{MOST}] AS names
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

    `weeks` says of how many weeks that average is; without sales in them it is None.
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
    return row(FEEDS, {"stores": stores, "since": datetime.now(UTC) - timedelta(weeks=13)})


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
