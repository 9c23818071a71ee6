"""Reads of a product's page. Figures are of business days, each of its store's own time zone.

`stores` limits a query to stores; None is all of the customer's. Bounds on `day` and `timestamp`
exclude chunks; `business_date` then says exactly which days count. The product's sales come by
the daily aggregate's index on the product and its columnstore's bloom filter.
"""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

from inventory.queries import VELOCITY_DAYS
from inventory.spans import span_params, spans
from shelfops.reports.period import Period
from shelfops.reports.sql import Row, rows

Stores = list[UUID] | None

# Stock that lasts longer has no stockout to project.
HORIZON_DAYS = 3660
# The most that happened in a period that the page lists.
MOST_EVENTS = 200

IN_STORES = "(%(stores)s::uuid[] IS NULL OR store_id = ANY (%(stores)s::uuid[]))"

# The product's current stock by idx_current_stock_product, and what it was on each day.
SPANS = f"""
stock AS MATERIALIZED (
    SELECT store_id, product_id, quantity_on_hand, quantity_allocated, quantity_available,
           timestamp, source
    FROM current_stock WHERE product_id = %(product)s AND {IN_STORES}
),
{spans("stock", only="l.product_id = %(product)s")}
"""

# Stock is what the stores' counts add up to. Reorder points are those in force at the close of
# the store's day; one that has no level to order up to asks for no more than itself. Both come
# and go on certain days, so that running sums say what there was on each day; what came before
# the period counts from its first day on.
HISTORY = f"""
WITH {SPANS},
sold AS (
    SELECT business_date, sum(quantity_sold) AS units, sum(revenue) AS revenue
    FROM daily_sales
    WHERE product_id = %(product)s AND day >= %(rolling_since)s AND day < %(until)s
      AND business_date BETWEEN %(start)s::date - 6 AND %(end)s AND {IN_STORES}
    GROUP BY business_date
),
stock_changes AS (
    SELECT greatest(day, %(start)s) AS day, sum(n) AS n, sum(n * on_hand) AS on_hand
    FROM (
        SELECT first_day AS day, 1 AS n, on_hand FROM spans
        UNION ALL
        SELECT next_day, -1, on_hand FROM spans
    ) AS edges
    GROUP BY 1
),
rules AS (
    SELECT reorder_point, coalesce(order_up_to, reorder_point) AS order_up_to,
           (effective_from AT TIME ZONE time_zone)::date AS first_day,
           (effective_to AT TIME ZONE time_zone)::date AS end_day
    FROM reorder_points JOIN stores USING (store_id)
    WHERE product_id = %(product)s AND {IN_STORES}
),
rule_changes AS (
    SELECT greatest(day, %(start)s) AS day, sum(n) AS n,
           sum(n * reorder_point) AS reorder_point, sum(n * order_up_to) AS order_up_to
    FROM (
        SELECT first_day AS day, 1 AS n, reorder_point, order_up_to FROM rules
        UNION ALL
        SELECT end_day, -1, reorder_point, order_up_to FROM rules WHERE end_day IS NOT NULL
    ) AS edges
    GROUP BY 1
)
SELECT business_date, units, velocity, revenue, price,
       sum(units) OVER () AS all_units, sum(revenue) OVER () AS all_revenue,
       CASE WHEN counted > 0 THEN on_hand END AS on_hand,
       CASE WHEN rules > 0 THEN reorder_point END AS reorder_point,
       CASE WHEN rules > 0 THEN order_up_to END AS order_up_to
FROM (
    SELECT business_date, coalesce(units, 0) AS units, coalesce(revenue, 0) AS revenue,
           round(avg(coalesce(units, 0)) OVER week, 2) AS velocity,
           CASE WHEN units > 0 THEN round(revenue / units, 2) END AS price,
           sum(s.n) OVER so_far AS counted, sum(s.on_hand) OVER so_far AS on_hand,
           sum(r.n) OVER so_far AS rules, sum(r.reorder_point) OVER so_far AS reorder_point,
           sum(r.order_up_to) OVER so_far AS order_up_to
    FROM (SELECT %(start)s::date + step AS business_date
          FROM generate_series(-6, %(days)s - 1) AS step) AS days
    LEFT JOIN sold USING (business_date)
    LEFT JOIN stock_changes s ON s.day = business_date
    LEFT JOIN rule_changes r ON r.day = business_date
    WINDOW so_far AS (ORDER BY business_date), week AS (so_far ROWS 6 PRECEDING)
) AS history
WHERE business_date >= %(start)s
ORDER BY business_date
"""

# The stores that sold the product in the last 28 days or ever counted it, and last their total.
# A day was in stock if it closed with something available, by the last count until then. The
# total's in-stock velocity is the sum of the stores': what would sell if no shelf were empty; a
# store that never counted adds its velocity.
STORES = f"""
WITH {SPANS},
in_stock AS (
    SELECT store_id, sum(days) AS days FROM spans JOIN numbered USING (pair)
    WHERE in_stock AND days > 0
    GROUP BY store_id
),
velocities AS (
    SELECT store_id, sum(quantity_sold) AS units_28,
           coalesce(sum(quantity_sold) FILTER (WHERE business_date > %(end)s::date - 7), 0) / 7
               AS velocity_7
    FROM daily_sales
    WHERE product_id = %(product)s AND day >= %(since)s AND day < %(until)s
      AND business_date BETWEEN %(start)s AND %(end)s AND {IN_STORES}
    GROUP BY store_id
),
figures AS (
    SELECT store_id, name AS store, (now() AT TIME ZONE time_zone)::date AS today,
           quantity_on_hand, quantity_allocated, quantity_available,
           (timestamp AT TIME ZONE time_zone)::date AS counted_on, source,
           coalesce(velocity_7, 0) AS velocity_7, coalesce(units_28, 0) AS units_28,
           coalesce(units_28, 0) / in_stock.days AS in_stock_velocity,
           f.reorder_point, f.order_up_to
    FROM stock
    FULL JOIN velocities USING (store_id)
    LEFT JOIN in_stock USING (store_id)
    JOIN stores USING (store_id)
    LEFT JOIN LATERAL (
        SELECT r.reorder_point, r.order_up_to FROM reorder_points r
        WHERE r.store_id = stores.store_id AND r.product_id = %(product)s
          AND r.effective_from <= now() AND (r.effective_to IS NULL OR r.effective_to > now())
        LIMIT 1
    ) AS f ON true
)
SELECT store_id, store, is_total, quantity_on_hand, quantity_allocated, quantity_available,
       round(velocity_7, 2) AS velocity_7, round(units_28 / %(days)s, 2) AS velocity_28,
       round(in_stock_velocity, 2) AS in_stock_velocity, round(cover, 1) AS cover,
       CASE WHEN cover < %(horizon)s THEN today + greatest(floor(cover), 0)::integer END
           AS stockout_on,
       reorder_point, order_up_to, counted_on, source,
       CASE WHEN is_total THEN NULL
            WHEN quantity_available <= reorder_point THEN 'Reorder'
            WHEN quantity_available <= 0 THEN 'Out of stock' END AS status
FROM (
    SELECT store_id, store, today, grouping(store_id) = 1 AS is_total,
           sum(quantity_on_hand) AS quantity_on_hand,
           sum(quantity_allocated) AS quantity_allocated,
           sum(quantity_available) AS quantity_available,
           coalesce(sum(velocity_7), 0) AS velocity_7, coalesce(sum(units_28), 0) AS units_28,
           CASE WHEN grouping(store_id) = 0 THEN sum(in_stock_velocity)
                ELSE sum(coalesce(in_stock_velocity, units_28 / %(days)s)) END AS in_stock_velocity,
           sum(reorder_point) AS reorder_point, sum(order_up_to) AS order_up_to,
           CASE WHEN grouping(store_id) = 0 THEN min(counted_on) END AS counted_on,
           min(source) AS source
    FROM figures
    GROUP BY GROUPING SETS ((store_id, store, today), ())
) AS totals
CROSS JOIN LATERAL (
    SELECT quantity_available * %(days)s / CASE WHEN units_28 > 0 THEN units_28 END AS cover
) AS covers
ORDER BY is_total, cover NULLS LAST, units_28 DESC, store
"""

# What happened to the product, each on its store's own day; by idx_alerts_product and
# idx_alert_events_alert, idx_anomalies_product and idx_reorder_points_product. That one alert
# hides another is of no interest here: both are shown.
EVENTS = f"""
SELECT kind, name, severity, detail, actor, at, store, alert_id,
       (at AT TIME ZONE time_zone)::date AS business_date
FROM (
    SELECT e.kind, a.alert_type AS name, a.severity, a.message AS detail, e.actor, e.at,
           a.store_id, a.product_id, a.alert_id
    FROM alerts a JOIN alert_events e USING (alert_id)
    WHERE %(sees_alerts)s AND e.kind NOT IN ('hidden', 'shown')
    UNION ALL
    SELECT 'anomaly', kind, severity, '', '', detected_at, store_id, product_id, NULL
    FROM anomalies WHERE %(sees_anomalies)s
    UNION ALL
    SELECT 'rule', '', '',
           'Reorder at ' || trim_scale(reorder_point)
           || coalesce(', up to ' || trim_scale(order_up_to), ''),
           '', effective_from, store_id, product_id, NULL
    FROM reorder_points
) AS events
JOIN (SELECT store_id, name AS store, time_zone FROM stores) AS stores USING (store_id)
WHERE product_id = %(product)s AND at >= %(since)s AND at < %(until)s AND {IN_STORES}
  AND (at AT TIME ZONE time_zone)::date BETWEEN %(start)s AND %(end)s
ORDER BY at DESC, kind
LIMIT %(most)s
"""


def history(product: UUID, stores: Stores, period: Period) -> list[Row]:
    """Each day of the period: sales, price, stock and reorder point at its close.

    `velocity` is units a day of the seven days that end with it; days without sales count as 0.
    `price` is revenue by units, None without units. Stock and reorder point are None where none
    is known. Each row also has the period's `all_units` and `all_revenue`.
    """
    rolling = Period(period.start - timedelta(days=6), period.end)
    return rows(HISTORY, {**_params(product, stores, period), "rolling_since": rolling.since})


def stock_by_store(product: UUID, stores: Stores, last_day: date) -> list[Row]:
    """Stock now and velocity of each store, the shortest cover first, and last their total.

    Velocities are units a day of the 7 and 28 business days up to `last_day`, cover is in days.
    """
    period = Period.ending(last_day, VELOCITY_DAYS)
    return rows(STORES, {**_params(product, stores, period), "horizon": HORIZON_DAYS})


def events(
    product: UUID, stores: Stores, period: Period, *, alerts: bool, anomalies: bool
) -> list[Row]:
    """What happened in the period, the latest first; alerts and anomalies for who may see them."""
    params = {"sees_alerts": alerts, "sees_anomalies": anomalies, "most": MOST_EVENTS}
    return rows(EVENTS, {**_params(product, stores, period), **params})


def _params(product: UUID, stores: Stores, period: Period) -> dict[str, Any]:
    return {
        **span_params(period),
        "product": product,
        "stores": stores,
    }
