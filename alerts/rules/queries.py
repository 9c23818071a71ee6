"""Which rule applies where, and what a rule would have done on the days that are past."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from alerts.models import AlertRule, AlertType
from shelfops.reports.sql import Row, row, rows

TRIED_DAYS = 90
# More products than this are tried on a sample of them.
TRIED_PAIRS = 4_000

# The rules and, behind them, the defaults, as `alert_conditions` of the database reads them.
RULES = """
rules AS MATERIALIZED (
    SELECT rule_id, alert_type, store_id, product_id, department, category, threshold, severity,
           is_enabled, evaluations_to_open, evaluations_to_resolve, specificity
    FROM alert_rules
    UNION ALL
    SELECT NULL, alert_type, NULL, NULL, '', '', threshold, severity,
           true, evaluations_to_open, evaluations_to_resolve, -1
    FROM default_alert_rules()
)
"""
# For a FROM that has `kind.alert_type` and `pair` with the columns of a product in a store.
WINNER = """
CROSS JOIN LATERAL (
    SELECT * FROM rules
    WHERE rules.alert_type = kind.alert_type
      AND (rules.store_id IS NULL OR rules.store_id = pair.store_id)
      AND (rules.product_id IS NULL OR rules.product_id = pair.product_id)
      AND rules.department IN ('', pair.department) AND rules.category IN ('', pair.category)
    ORDER BY rules.specificity DESC LIMIT 1
) AS winner
"""

IN_FORCE = f"""
WITH {RULES}
SELECT kind.alert_type, winner.*
FROM (SELECT %(store)s::uuid AS store_id, product_id, department, category
      FROM products WHERE product_id = %(product)s) AS pair
CROSS JOIN unnest(%(types)s::text[]) WITH ORDINALITY AS kind (alert_type, place)
{WINNER}
ORDER BY kind.place
"""

# The products in stores whose rule it is: no rule of a narrower part is theirs.
PAIRS = f"""
{RULES},
pairs AS MATERIALIZED (
    SELECT pair.store_id, pair.product_id, time_zone, today,
           winner.threshold AS threshold_before, winner.is_enabled AS enabled_before
    FROM (SELECT store_id, product_id, department, category, time_zone,
                 (%(now)s AT TIME ZONE time_zone)::date AS today
          FROM current_stock JOIN products USING (product_id) JOIN stores USING (store_id)
          WHERE products.is_active AND stores.is_active
            AND (%(store)s::uuid IS NULL OR store_id = %(store)s)
            AND (%(product)s::uuid IS NULL OR product_id = %(product)s)
            AND %(department)s IN ('', department) AND %(category)s IN ('', category)) AS pair
    CROSS JOIN (SELECT %(alert_type)s::text AS alert_type) AS kind
    {WINNER}
    WHERE (winner.specificity <= %(specificity)s OR winner.rule_id = %(rule)s)
      AND mod(abs(hashtext(pair.product_id::text)), %(share)s) = 0
)
"""
COUNT_PAIRS = f"WITH {PAIRS} SELECT count(*) AS pairs FROM pairs"

# Every count of the stock, with what was known then; the day of the count is not over, and is no
# whole day without a sale. Sales and counts are one line of time for each product in a store, so
# that a window over it has the sales before each count. A `timestamp` or `day` before the span is
# there for what a rule looks back on.
HISTORY = f"""
WITH {PAIRS},
counted AS (
    SELECT store_id, product_id, (timestamp AT TIME ZONE time_zone)::date AS on_day, timestamp,
           quantity_on_hand AS on_hand, quantity_available AS available
    FROM inventory_levels JOIN pairs USING (store_id, product_id)
    WHERE timestamp > %(since)s - INTERVAL '35 days' AND timestamp <= %(now)s
),
line AS (
    SELECT store_id, product_id, on_day, timestamp, on_hand, available,
           0::numeric AS quantity, false AS is_sale
    FROM counted
    UNION ALL
    SELECT store_id, product_id, business_date, NULL, NULL, NULL,
           sum(quantity_sold), sum(quantity_sold) > 0
    FROM daily_sales JOIN pairs USING (store_id, product_id)
    WHERE day > %(since)s - %(lookback)s AND day <= %(now)s
    GROUP BY store_id, product_id, business_date
),
known AS (
    SELECT line.*,
           greatest(sum(quantity) OVER past_28 / 28, 0) AS velocity,
           on_day - max(on_day) FILTER (WHERE is_sale) OVER ever AS silent_days,
           (max(on_day) FILTER (WHERE is_sale) OVER past_62
            - min(on_day) FILTER (WHERE is_sale) OVER past_62)::numeric AS sale_span,
           count(*) FILTER (WHERE is_sale) OVER past_62 AS sale_count
    FROM line
    WINDOW pair AS (PARTITION BY store_id, product_id ORDER BY on_day::timestamp),
           past_28 AS (pair RANGE BETWEEN INTERVAL '28 days' PRECEDING
                       AND INTERVAL '1 day' PRECEDING),
           past_62 AS (pair RANGE BETWEEN INTERVAL '62 days' PRECEDING AND CURRENT ROW),
           ever AS (pair RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
),
measured AS (
    SELECT known.store_id, known.product_id, timestamp, available,
           threshold_before, enabled_before,
           CASE %(alert_type)s
               WHEN 'stockout' THEN available
               WHEN 'low_stock' THEN 100 * available / nullif((
                   SELECT reorder_point FROM reorder_points AS rule  -- idx_reorder_points_history
                   WHERE rule.store_id = known.store_id AND rule.product_id = known.product_id
                     AND effective_from <= timestamp
                     AND (effective_to IS NULL OR effective_to > timestamp)
                   ORDER BY effective_from DESC LIMIT 1), 0)
               WHEN 'overstock' THEN available / nullif(velocity, 0)
               WHEN 'dead_stock' THEN CASE WHEN on_hand > 0 THEN silent_days - 1 END
               WHEN 'phantom_stock' THEN CASE WHEN on_hand > 0 AND sale_count >= 5
                   THEN silent_days * (sale_count - 1) / nullif(sale_span, 0) END
           END AS measure
    FROM known
    JOIN pairs USING (store_id, product_id)
    WHERE timestamp IS NOT NULL
),
judged AS (
    SELECT variant.name AS variant, measured.*,
           variant.is_enabled AND CASE
               WHEN %(alert_type)s IN ('stockout', 'low_stock')
                   THEN measure <= variant.threshold
               WHEN %(alert_type)s = 'overstock' THEN measure > variant.threshold
               ELSE measure >= variant.threshold END AS holds,
           available <= 0 AS is_empty
    FROM measured
    CROSS JOIN LATERAL (VALUES ('before', threshold_before, enabled_before),
                               ('after', %(threshold)s::numeric, %(is_enabled)s::boolean))
        AS variant (name, threshold, is_enabled)
),
steps AS (
    SELECT judged.*,
           coalesce(holds, false) AND NOT coalesce(lag(holds) OVER course, false)
               AND NOT (is_empty AND %(alert_type)s = 'low_stock') AS begins,
           is_empty AND NOT lag(is_empty) OVER course AS runs_out,
           coalesce(lag(holds) OVER course, false) AS held_before
    FROM judged
    WINDOW course AS (PARTITION BY variant, store_id, product_id ORDER BY timestamp)
),
dated AS (
    SELECT steps.*, max(timestamp) FILTER (WHERE begins) OVER (
               PARTITION BY variant, store_id, product_id ORDER BY timestamp
               ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS began_at
    FROM steps
)
SELECT variant,
       count(*) FILTER (WHERE begins) AS alerts,
       count(*) FILTER (WHERE runs_out) AS stockouts,
       count(*) FILTER (WHERE runs_out AND held_before) AS caught,
       round((percentile_cont(0.5) WITHIN GROUP (
                  ORDER BY extract(epoch FROM timestamp - began_at) / 86400)
              FILTER (WHERE runs_out AND held_before))::numeric, 1) AS days_early
FROM dated
WHERE timestamp > %(since)s
GROUP BY variant
"""

# The silences of each store, from the first day on which it was expected to sell (sales_days) until
# its next day with sales, that were longer than the rule's hours.
SILENCES = f"""
WITH {RULES},
days AS (
    SELECT store_id, day, has_sales,
           max(day) FILTER (WHERE has_sales) OVER (
               PARTITION BY store_id ORDER BY day) AS last_sales,
           min(day) FILTER (WHERE has_sales) OVER (
               PARTITION BY store_id ORDER BY day DESC) AS next_sales
    FROM sales_days(%(now)s, %(since)s::date, %(now)s::date + 1,
                    CASE WHEN %(store)s::uuid IS NOT NULL THEN ARRAY[%(store)s::uuid] END)
),
silences AS (
    SELECT store_id, coalesce(next_sales, %(now)s::date) - min(day) - 1 AS days_more
    FROM days WHERE NOT has_sales AND last_sales IS NOT NULL
    GROUP BY store_id, last_sales, next_sales
)
SELECT variant.name AS variant, count(*) FILTER (
           WHERE variant.is_enabled AND days_more * 24 > variant.threshold) AS alerts
FROM silences
CROSS JOIN LATERAL (
    SELECT * FROM rules
    WHERE rules.alert_type = 'feed_gap'
      AND (rules.store_id IS NULL OR rules.store_id = silences.store_id)
    ORDER BY rules.specificity DESC LIMIT 1) AS winner
CROSS JOIN LATERAL (VALUES ('before', winner.threshold, winner.is_enabled),
                           ('after', %(threshold)s::numeric, %(is_enabled)s::boolean))
    AS variant (name, threshold, is_enabled)
WHERE winner.specificity <= %(specificity)s OR winner.rule_id = %(rule)s
GROUP BY variant.name
"""


@dataclass(frozen=True)
class Trial:
    """What rules would have done: as they are (`before`), and with the change (`after`).

    Each has `alerts` and, but for feed gaps, real `stockouts`, those `caught` by an alert that
    was there before, those `missed`, and the median `days_early`. Of `pairs` products in stores
    one in `share` products was tried; counts are those of the tried ones.
    """

    before: Row
    after: Row
    pairs: int
    share: int


def rules_in_force(product: UUID, store: UUID) -> list[Row]:
    """The rule of each type that applies to a product in a store; `rule_id` None is a default."""
    types = [kind.value for kind in AlertRule.TYPES]
    return rows(IN_FORCE, {"store": store, "product": product, "types": types})


def tried(rule: AlertRule) -> Trial:
    """The rule, saved or not, on the counts and sales of the last 90 days."""
    now = timezone.now()
    params: dict[str, Any] = {
        "now": now,
        "since": now - timedelta(days=TRIED_DAYS),
        "lookback": timedelta(days=max(64, int(rule.threshold) + 2))
        if rule.alert_type == AlertType.DEAD_STOCK
        else timedelta(days=64),
        "rule": rule.pk,
        "alert_type": rule.alert_type,
        "store": rule.store_id,
        "product": rule.product_id,
        "department": rule.department,
        "category": rule.category,
        "specificity": specificity(rule),
        "threshold": rule.threshold,
        "is_enabled": rule.is_enabled,
        "share": 1,
    }
    if rule.alert_type == AlertType.FEED_GAP:
        return _trial(rows(SILENCES, params), 0, 1)
    pairs = row(COUNT_PAIRS, params)["pairs"]
    share = params["share"] = pairs // TRIED_PAIRS + 1
    return _trial(rows(HISTORY, params), pairs, share)


def _trial(found: list[Row], pairs: int, share: int) -> Trial:
    variants = {each["variant"]: each for each in found}
    nothing = {"alerts": 0, "stockouts": 0, "caught": 0, "days_early": None}
    before, after = ({**nothing, **variants.get(name, {})} for name in ("before", "after"))
    for each in (before, after):
        each["missed"] = each["stockouts"] - each["caught"]
    return Trial(before, after, pairs, share)


def specificity(rule: AlertRule) -> int:
    """The rank that the database gives the rule among those that fit the same product."""
    part = 6 if rule.product_id else 4 if rule.category else 2 if rule.department else 0
    return part + (1 if rule.store_id else 0)
