"""Reads of the data quality report. `stores` limits a query to stores; None is all of them.

Sales come from the aggregates by day; bounds on `day` and `timestamp` exclude chunks, and
`business_date` then says exactly which rows count.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from shelfops.reports.period import Period
from shelfops.reports.sql import Row, rows

Stores = list[UUID] | None

IN_STORES = "(%(stores)s::uuid[] IS NULL OR store_id = ANY (%(stores)s::uuid[]))"
# Before the period, to know a store's rhythm by.
RHYTHM = timedelta(weeks=8)
FEWEST_WEEKS = 3
# The last days of a period that the grid has room for.
GRID_DAYS = 31

SALES_DAYS = f"""
SELECT store_id, business_date AS day, sum(lines) AS lines
FROM daily_store_sales
WHERE day >= %(rhythm_since)s AND day < %(until)s
  AND business_date BETWEEN %(rhythm_start)s AND %(end)s AND {IN_STORES}
GROUP BY store_id, business_date
"""
COUNT_DAYS = f"""
SELECT store_id, day, count(*) AS lines
FROM (
    SELECT store_id, (timestamp AT TIME ZONE time_zone)::date AS day
    FROM inventory_levels JOIN stores USING (store_id)
    WHERE timestamp >= %(rhythm_since)s AND timestamp < %(until)s AND {IN_STORES}
) AS counts
WHERE day BETWEEN %(rhythm_start)s AND %(end)s
GROUP BY store_id, day
"""


def _feeds(lines_by_day: str) -> str:
    """Each active store, the most gaps first, with lines and gaps of the last days of the period.

    A store's rhythm is the weekdays on which it has something in at least three weeks, and in more
    than half of those from its first to its last day with anything, in the period and the 8 weeks
    before. A gap is a day of such a weekday without anything, from the first day until yesterday
    by the store's clock.
    """
    return f"""
    WITH fed AS MATERIALIZED ({lines_by_day}),
    known AS (
        SELECT store_id, min(day) AS first_day, max(day) AS last_day FROM fed GROUP BY store_id
    ),
    rhythm AS MATERIALIZED (
        SELECT store_id, weekday
        FROM known
        CROSS JOIN LATERAL (
            SELECT extract(isodow FROM first_day + n) AS weekday, count(*) AS weeks
            FROM generate_series(0, last_day - first_day) AS n GROUP BY 1
        ) AS weekdays
        JOIN (SELECT store_id, extract(isodow FROM day) AS weekday, count(*) AS fed
              FROM fed GROUP BY store_id, weekday) AS fed USING (store_id, weekday)
        WHERE fed > weeks / 2.0 AND fed >= %(weeks)s
    ),
    days AS (
        SELECT s.store_id, s.name, known.last_day, d.day, coalesce(fed.lines, 0) AS lines,
               fed.lines IS NULL AND r.weekday IS NOT NULL AND d.day >= known.first_day
                   AND d.day < (now() AT TIME ZONE s.time_zone)::date AS is_gap,
               r.weekday IS NOT NULL AS is_usual
        FROM stores s
        CROSS JOIN (SELECT %(start)s::date + n AS day
                    FROM generate_series(0, %(days)s - 1) AS n) AS d
        LEFT JOIN known USING (store_id)
        LEFT JOIN fed ON fed.store_id = s.store_id AND fed.day = d.day
        LEFT JOIN rhythm r ON r.store_id = s.store_id AND r.weekday = extract(isodow FROM d.day)
        WHERE s.is_active AND (%(stores)s::uuid[] IS NULL OR s.store_id = ANY (%(stores)s::uuid[]))
    )
    SELECT store_id, name, last_day, count(*) FILTER (WHERE is_gap) AS gaps,
           string_agg(to_char(day, 'FMDD Mon'), ', ' ORDER BY day) FILTER (WHERE is_gap)
               AS gap_days,
           count(*) FILTER (WHERE lines > 0) AS days_fed, sum(lines) AS lines,
           count(DISTINCT extract(isodow FROM day)) FILTER (WHERE is_usual) AS usual_weekdays,
           array_agg(lines ORDER BY day) FILTER (WHERE day >= %(grid_start)s) AS grid_lines,
           array_agg(is_gap ORDER BY day) FILTER (WHERE day >= %(grid_start)s) AS grid_gaps,
           sum(count(*) FILTER (WHERE is_gap)) OVER () AS all_gaps,
           count(*) OVER () AS all_stores
    FROM days
    GROUP BY store_id, name, last_day
    ORDER BY gaps DESC, last_day NULLS FIRST, name, store_id
    LIMIT %(limit)s
    """


FEEDS = {"sales": _feeds(SALES_DAYS), "counts": _feeds(COUNT_DAYS)}

# A refused row knows its store by the code that the file gives; without one it is for those only
# who see all stores. What was undone is no longer a complaint. By idx_import_batches_started and
# idx_refused_rows_batch.
REFUSALS = """
FROM import_batches b JOIN refused_rows r USING (batch_id)
WHERE b.started_at >= %(from)s AND b.started_at < %(to)s AND b.status <> 'undone'
  AND (%(stores)s::uuid[] IS NULL OR r.content ->> 'store' IN (
      SELECT code FROM stores WHERE store_id = ANY (%(stores)s::uuid[])))
"""
REFUSED = f"""
SELECT b.batch_id, r.kind, r.field, r.reason, b.source, b.started_at::date AS imported_on,
       b.imported_by, count(*) AS rows, min(r.line_number) AS first_line,
       sum(count(*)) OVER () AS all_rows, count(*) OVER () AS found
{REFUSALS}
GROUP BY b.batch_id, r.kind, r.field, r.reason, b.source, b.started_at, b.imported_by
ORDER BY count(*) DESC, b.started_at DESC, r.kind, r.field, r.reason
LIMIT %(limit)s
"""
# Amounts that the file does not give as numbers are not added up.
UNKNOWN = f"""
SELECT sku, rows, stores, units, amount, last_import,
       EXISTS (SELECT FROM products WHERE products.sku = refused.sku) AS is_known,
       sum(rows) OVER () AS all_rows, count(*) OVER () AS found
FROM (
    SELECT r.content ->> 'product' AS sku, count(*) AS rows,
           count(DISTINCT r.content ->> 'store') AS stores,
           sum((r.content -> 'quantity')::numeric)
               FILTER (WHERE jsonb_typeof(r.content -> 'quantity') = 'number') AS units,
           sum((r.content -> 'total_amount')::numeric)
               FILTER (WHERE jsonb_typeof(r.content -> 'total_amount') = 'number') AS amount,
           max(b.started_at)::date AS last_import
    {REFUSALS} AND r.kind = 'transactions' AND r.field = 'product'
      AND r.reason = 'unknown product'
    GROUP BY 1
) AS refused
ORDER BY rows DESC, sku
LIMIT %(limit)s
"""

# A product, store and business day whose revenue is below its units at today's cost. Returns
# alone have no margin.
MARGINS = f"""
SELECT product_id, name, sku, unit_cost, stores, days, units, revenue, cost, cost - revenue AS loss,
       sum(cost - revenue) OVER () AS all_loss, count(*) OVER () AS found
FROM (
    SELECT product_id, count(DISTINCT store_id) AS stores, count(DISTINCT business_date) AS days,
           sum(units) AS units, sum(revenue) AS revenue, round(sum(units * unit_cost), 2) AS cost
    FROM (
        SELECT product_id, store_id, business_date, sum(quantity_sold) AS units,
               sum(revenue) AS revenue
        FROM daily_sales
        WHERE day >= %(since)s AND day < %(until)s AND business_date BETWEEN %(start)s AND %(end)s
          AND {IN_STORES}
        GROUP BY product_id, store_id, business_date
    ) AS sold
    JOIN (SELECT product_id, unit_cost FROM products WHERE unit_cost IS NOT NULL) AS costs
         USING (product_id)
    WHERE units > 0 AND revenue < units * unit_cost
    GROUP BY product_id
) AS below
JOIN products USING (product_id)
ORDER BY loss DESC, sku
LIMIT %(limit)s
"""
PRODUCTS_WITH_COST = "SELECT count(*) AS products FROM products WHERE unit_cost IS NOT NULL"

CATALOGUE = f"""
SELECT product_id, name, sku, units, revenue,
       concat_ws(', ', CASE WHEN unit_cost IS NULL THEN 'cost' END,
                 CASE WHEN unit_price IS NULL THEN 'price' END,
                 CASE WHEN category = '' THEN 'category' END) AS missing,
       count(*) FILTER (WHERE unit_cost IS NULL) OVER () AS without_cost,
       count(*) FILTER (WHERE unit_price IS NULL) OVER () AS without_price,
       count(*) FILTER (WHERE category = '') OVER () AS without_category,
       count(*) OVER () AS found
FROM (
    SELECT product_id, sum(quantity_sold) AS units, sum(revenue) AS revenue
    FROM daily_sales
    WHERE day >= %(since)s AND day < %(until)s AND business_date BETWEEN %(start)s AND %(end)s
      AND {IN_STORES}
    GROUP BY product_id
) AS sold
JOIN products USING (product_id)
WHERE unit_cost IS NULL OR unit_price IS NULL OR category = ''
ORDER BY revenue DESC, sku
LIMIT %(limit)s
"""

STALE = f"""
SELECT store_id, name, rows, stale, oldest, latest,
       sum(stale) OVER () AS all_stale, count(*) FILTER (WHERE stale > 0) OVER () AS found,
       sum(rows) OVER () AS all_rows
FROM (
    SELECT store_id, count(*) AS rows,
           count(*) FILTER (WHERE timestamp < now() - make_interval(days => %(older)s)) AS stale,
           min(timestamp)::date AS oldest, max(timestamp)::date AS latest
    FROM current_stock WHERE {IN_STORES}
    GROUP BY store_id
) AS counts
JOIN (SELECT store_id, name FROM stores) AS names USING (store_id)
ORDER BY stale DESC, oldest, name
LIMIT %(limit)s
"""


def feeds(feed: str, stores: Stores, period: Period, limit: int | None) -> list[Row]:
    """Each store's days with sales, or with counts of stock, and its gaps; see `_feeds`."""
    early = Period(period.start - RHYTHM, period.end)
    params = {
        **_params(stores, period, limit),
        "rhythm_start": early.start,
        "rhythm_since": early.since,
        "weeks": FEWEST_WEEKS,
        "grid_start": grid_days(period).start,
    }
    return rows(FEEDS[feed], params)


def grid_days(period: Period) -> Period:
    return Period.ending(period.end, min(period.days, GRID_DAYS))


def refused(stores: Stores, since: datetime, until: datetime, limit: int | None) -> list[Row]:
    """Refused rows by import and reason, of the imports that started in the time."""
    return rows(REFUSED, {"stores": stores, "from": since, "to": until, "limit": limit})


def unknown(stores: Stores, since: datetime, until: datetime, limit: int | None) -> list[Row]:
    """SKUs that were sold but are not in the catalogue, the most rows first."""
    return rows(UNKNOWN, {"stores": stores, "from": since, "to": until, "limit": limit})


def below_cost(stores: Stores, period: Period, limit: int | None) -> list[Row]:
    """Products that were sold below today's cost, on the days they were, the dearest first."""
    return rows(MARGINS, _params(stores, period, limit))


def products_with_cost() -> int:
    [found] = rows(PRODUCTS_WITH_COST, {})
    return int(found["products"])


def incomplete(stores: Stores, period: Period, limit: int | None) -> list[Row]:
    """Products that were sold but have no cost, price or category, the most revenue first."""
    return rows(CATALOGUE, _params(stores, period, limit))


def stale(stores: Stores, days: int, limit: int | None) -> list[Row]:
    """Each store's counts of stock, and how many are older than so many days."""
    return rows(STALE, {"stores": stores, "older": days, "limit": limit})


def _params(stores: Stores, period: Period, limit: int | None) -> dict[str, Any]:
    return {**period.params(), "stores": stores, "limit": limit}
