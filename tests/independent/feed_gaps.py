"""Which days of a feed are missing, worked out again with DuckDB, word for word.

A store is expected on a day if it sold something on that weekday in all, or all but one, of the
eight weeks before: in three at least, and weeks in which it sold nothing do not count. In a
silence the weekdays of its first week stay expected. Of what lies more than 16 weeks before the
days that are asked for nothing is known.
"""

from datetime import date

import duckdb

# `sold` has store_id and day of all sales; `stores` says where the day is over, and who is open.
GAPS = """
WITH fed AS (SELECT DISTINCT store_id, day FROM sold
             WHERE day BETWEEN $first::date - 112 AND $last::date),
spans AS (SELECT store_id, min(day) AS begun FROM fed GROUP BY store_id),
days AS (
    SELECT spans.store_id, d::date AS day
    FROM spans, unnest(generate_series(begun::timestamp, $last::timestamp, INTERVAL 1 DAY)) AS s(d)
),
silent AS (
    SELECT days.*, (SELECT max(fed.day) FROM fed
                    WHERE fed.store_id = days.store_id AND fed.day < days.day) AS last_sale
    FROM days WHERE NOT EXISTS (SELECT 1 FROM fed WHERE fed.store_id = days.store_id
                                AND fed.day = days.day)
),
-- The same weekday in the first week of the silence.
judged AS (
    SELECT store_id, day, day - (7 * ((day - last_sale - 1) // 7))::integer AS like_day FROM silent
),
weeks AS (
    SELECT judged.*, k,
           EXISTS (SELECT 1 FROM fed WHERE fed.store_id = judged.store_id
                   AND fed.day = judged.like_day - (7 * k)::integer) AS sold_then,
           EXISTS (SELECT 1 FROM fed WHERE fed.store_id = judged.store_id
                   AND fed.day BETWEEN judged.like_day - (7 * k)::integer
                                   AND judged.like_day - (7 * k)::integer + 6) AS alive
    FROM judged, range(1, 9) AS r(k)
)
SELECT store_id, day FROM weeks JOIN stores USING (store_id)
WHERE day >= $first AND is_active AND day < timezone(time_zone, now())::date
GROUP BY store_id, day
HAVING count(*) FILTER (sold_then) >= 3
   AND count(*) FILTER (sold_then) >= count(*) FILTER (alive) - 1
"""


def feed_gaps(db: duckdb.DuckDBPyConnection, first: date, last: date) -> set[tuple[str, date]]:
    """Stores and days."""
    return set(db.execute(GAPS, {"first": first, "last": last}).fetchall())
