"""Stock over days, from counts: what a product's stock was, from which day to which.

A count of stock holds from the close of its business day until the next count. So a few rows a
product say what was on hand on every day of a period, and sums over them (days times stock,
days in stock) answer for all days at once.

The counts of the period and of 35 days before it are read, where most products have one. For the
others the current stock says what was on hand, if they were not counted since: however long ago
that was, also where the ledger no longer holds it. Only for those that were counted later, but
not within the 35 days, is older history read; nothing is where there are none. Of one customer's
year, 1,825 products in stores (PostgreSQL 18): this takes 11 ms by DISTINCT ON, the latest count
of all of history 112 ms, and a lateral look-up of each product 6,800 ms, since every look-up
unpacks compressed rows of every week.
"""

from datetime import timedelta

from shelfops.reports.period import Period

# A count of stock holds until the next one; the feed is expected to send one at least this often.
LONGEST_BETWEEN_COUNTS = timedelta(days=35)


def spans(keys: str) -> str:
    """CTEs that end with `spans`, for the stores and products of the CTE or table `keys`.

    `keys` has what `current_stock` has. A span is store_id, product_id, on_hand, available,
    first_day, next_day (the first day it no longer holds for), days (of the period), and
    counted_on, which is NULL where the count is older than the 35 days. The first begins on the
    `opening` day, the one before the period: its stock is what the period began with. Before a
    product's first count there is no span. Bounds on `timestamp` exclude chunks; where there are no
    older gaps, EXISTS keeps any plan from reading older history. Parameters: see span_params.
    """
    return f"""
    counts AS (
        SELECT store_id, product_id, l.timestamp, l.quantity_on_hand AS on_hand,
               l.quantity_available AS available,
               (l.timestamp AT TIME ZONE time_zone)::date AS day
        FROM inventory_levels l
        JOIN {keys} USING (store_id, product_id)
        JOIN stores USING (store_id)
        WHERE l.timestamp >= %(counted_since)s AND l.timestamp < %(until)s
    ),
    known AS MATERIALIZED (
        SELECT store_id, product_id, on_hand, available, day,
               lead(day, 1, %(end)s::date + 1) OVER later AS next_day,
               lag(day) OVER later IS NULL AS is_first
        FROM counts
        WHERE day <= %(end)s
        WINDOW later AS (PARTITION BY store_id, product_id ORDER BY timestamp)
    ),
    gaps AS MATERIALIZED (
        SELECT store_id, product_id, day AS next_day FROM known
        WHERE is_first AND day > %(opening)s
        UNION ALL
        SELECT k.store_id, k.product_id, %(end)s::date + 1 FROM {keys} k
        WHERE NOT EXISTS (SELECT FROM known
                          WHERE known.store_id = k.store_id AND known.product_id = k.product_id)
    ),
    older_gaps AS MATERIALIZED (
        SELECT store_id, product_id, gaps.next_day
        FROM gaps JOIN {keys} USING (store_id, product_id)
        WHERE timestamp >= %(counted_since)s
    ),
    spans AS MATERIALIZED (
        SELECT *, greatest(next_day - greatest(first_day, %(start)s), 0) AS days
        FROM (
            SELECT store_id, product_id, on_hand, available,
                   greatest(day, %(opening)s) AS first_day, next_day, day AS counted_on
            FROM known WHERE next_day > greatest(day, %(opening)s)
            UNION ALL
            SELECT store_id, product_id, quantity_on_hand, quantity_available, %(opening)s,
                   gaps.next_day, NULL
            FROM gaps JOIN {keys} USING (store_id, product_id)
            WHERE timestamp < %(counted_since)s
            UNION ALL
            SELECT store_id, product_id, last(l.quantity_on_hand, l.timestamp),
                   last(l.quantity_available, l.timestamp), %(opening)s, min(gaps.next_day), NULL
            FROM inventory_levels l JOIN older_gaps gaps USING (store_id, product_id)
            WHERE l.timestamp < %(counted_since)s AND EXISTS (SELECT FROM older_gaps)
            GROUP BY store_id, product_id
        ) AS clipped
    )
    """


def span_params(period: Period) -> dict[str, object]:
    return {
        **period.params(),
        "opening": period.start - timedelta(days=1),
        "counted_since": period.since - LONGEST_BETWEEN_COUNTS,
    }
