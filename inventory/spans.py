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


def spans(keys: str, only: str = "true") -> str:
    """CTEs that end with `spans`, for the stores and products of the CTE or table `keys`.

    `keys` has what `current_stock` has. `numbered` gives each of its rows a number, `pair`, beside
    store_id and product_id: counts are put in order by it, at half of what two UUIDs cost.

    A span is pair, on_hand, in_stock (something was available), first_day, next_day (the first day
    it no longer holds for), days (of the period), and counted_on, which is NULL where the count is
    older than the 35 days. The first begins on the `opening` day, the one before the period: its
    stock is what the period began with. Before a product's first count there is no span. Bounds on
    `timestamp` exclude chunks; where there are no older gaps, EXISTS keeps any plan from reading
    older history. `only` is a condition on `l`, the counts, that all the keys fulfil: with it the
    columnstore unpacks no others. Parameters: see span_params.
    """
    return f"""
    numbered AS MATERIALIZED (
        SELECT row_number() OVER ()::integer AS pair, store_id, product_id, timestamp,
               quantity_on_hand, quantity_available, time_zone
        FROM {keys} JOIN (SELECT store_id, time_zone FROM stores) AS zones USING (store_id)
    ),
    known AS MATERIALIZED (
        SELECT pair, on_hand, in_stock, day,
               lead(day, 1, %(end)s::date + 1) OVER later AS next_day,
               row_number() OVER later = 1 AS is_first
        FROM (
            SELECT pair, l.timestamp, l.quantity_on_hand AS on_hand,
                   l.quantity_available > 0 AS in_stock,
                   (l.timestamp AT TIME ZONE time_zone)::date AS day
            FROM inventory_levels l JOIN numbered USING (store_id, product_id)
            WHERE l.timestamp >= %(counted_since)s AND l.timestamp < %(until)s AND {only}
        ) AS counts
        WHERE day <= %(end)s
        WINDOW later AS (PARTITION BY pair ORDER BY timestamp)
    ),
    gaps AS MATERIALIZED (
        SELECT pair, store_id, product_id, timestamp, quantity_on_hand, quantity_available,
               coalesce(day, %(end)s::date + 1) AS next_day
        FROM numbered LEFT JOIN (SELECT pair, day FROM known WHERE is_first) AS first USING (pair)
        WHERE day IS NULL OR day > %(opening)s
    ),
    older_gaps AS MATERIALIZED (
        SELECT pair, store_id, product_id, next_day
        FROM gaps WHERE timestamp >= %(counted_since)s
    ),
    spans AS (
        SELECT *, greatest(next_day - greatest(first_day, %(start)s), 0) AS days
        FROM (
            SELECT pair, on_hand, in_stock, greatest(day, %(opening)s) AS first_day, next_day,
                   day AS counted_on
            FROM known WHERE next_day > greatest(day, %(opening)s)
            UNION ALL
            SELECT pair, quantity_on_hand, quantity_available > 0, %(opening)s, next_day, NULL
            FROM gaps WHERE timestamp < %(counted_since)s
            UNION ALL
            SELECT pair, last(l.quantity_on_hand, l.timestamp),
                   last(l.quantity_available, l.timestamp) > 0, %(opening)s, min(next_day), NULL
            FROM inventory_levels l JOIN older_gaps USING (store_id, product_id)
            WHERE l.timestamp < %(counted_since)s AND EXISTS (SELECT FROM older_gaps) AND {only}
            GROUP BY pair
        ) AS clipped
    )
    """


def span_params(period: Period) -> dict[str, object]:
    return {
        **period.params(),
        "opening": period.start - timedelta(days=1),
        "counted_since": period.since - LONGEST_BETWEEN_COUNTS,
    }
