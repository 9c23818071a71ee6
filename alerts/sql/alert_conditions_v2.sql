-- Which conditions hold at a moment. In place of the function of migration 0003.
--
-- One pass over the stock, its reorder points in force and the sales by day. Of a live evaluation
-- the stock is current_stock; of a past moment, the last count before it.
--
-- * Sales are those of complete business days, and of today where the evaluation is live. `day`
--   and `timestamp` exclude chunks; `business_date` says which rows count.
-- * `sale_days` has a bit for each of the last 62 days with a sale, so that a business day that
--   the aggregate has in two rows counts once.
-- * The loosest rule of each type leaves few suspects; only these are joined with their own
--   rule, which may be any of them.
-- * Dead stock counts whole days up to the store's last day with sales, as the report on dead stock
--   does: days of which nothing has come in yet do not count. `lag` is how many those are, with
--   today; more than 8 are taken for days without a sale.
-- * Phantom stock: silent days / (span / (sale days - 1)), divided once, so that it is exact where
--   it equals its limit.
-- * A store is silent from the first day on which it was expected to sell (sales_days). An alert on
--   it holds until sales come in, also when the silence is older than what is read here.
CREATE OR REPLACE FUNCTION alert_conditions(as_of timestamptz, is_live boolean, wanted uuid[])
RETURNS TABLE (
    alert_type text, store_id uuid, product_id uuid, severity text, grade smallint,
    money numeric, message text, figures jsonb, rule jsonb, evaluations_to_open smallint,
    unproven_days integer)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, public, pg_temp
SET work_mem = '64MB'
SET plan_cache_mode = 'force_custom_plan' AS $$
#variable_conflict use_column
DECLARE
    lookback integer := 8 + greatest(62, (
        SELECT max(threshold) FROM alert_rules WHERE alert_type = 'dead_stock' AND is_enabled));
    since timestamptz := as_of - make_interval(days => lookback + 2);
BEGIN
    RETURN QUERY
    WITH rules AS MATERIALIZED (
        SELECT alert_type, store_id, product_id, department, category, threshold, severity,
               is_enabled, evaluations_to_open, specificity::integer,
               jsonb_build_object(
                   'rule_id', rule_id, 'threshold', threshold,
                   'scope', concat_ws('+', CASE WHEN store_id IS NOT NULL THEN 'store' END,
                       CASE WHEN product_id IS NOT NULL THEN 'product'
                            WHEN category <> '' THEN 'category'
                            WHEN department <> '' THEN 'department'
                            WHEN store_id IS NULL THEN 'customer' END),
                   'scope_name', category || department,
                   'evaluations_to_open', evaluations_to_open,
                   'evaluations_to_resolve', evaluations_to_resolve,
                   'told', array_remove(ARRAY[CASE WHEN tells_admins THEN 'admin' END,
                       CASE WHEN tells_managers THEN 'manager' END,
                       CASE WHEN tells_staff THEN 'staff' END], NULL)) AS snapshot
        FROM alert_rules
        UNION ALL
        SELECT alert_type, NULL, NULL, '', '', threshold, severity,
               true, evaluations_to_open, -1,
               jsonb_build_object(
                   'rule_id', NULL, 'threshold', threshold, 'scope', 'default', 'scope_name', '',
                   'evaluations_to_open', evaluations_to_open,
                   'evaluations_to_resolve', evaluations_to_resolve,
                   'told', array_remove(ARRAY[CASE WHEN tells_admins THEN 'admin' END,
                       CASE WHEN tells_managers THEN 'manager' END,
                       CASE WHEN tells_staff THEN 'staff' END], NULL))
        FROM default_alert_rules()
    ),
    loosest AS MATERIALIZED (
        SELECT max(threshold) FILTER (WHERE alert_type = 'stockout') AS stockout,
               max(threshold) FILTER (WHERE alert_type = 'low_stock') / 100 AS low_stock,
               min(threshold) FILTER (WHERE alert_type = 'overstock') AS overstock,
               min(threshold) FILTER (WHERE alert_type = 'dead_stock') AS dead_stock,
               min(threshold) FILTER (WHERE alert_type = 'phantom_stock') AS phantom_stock
        FROM rules WHERE is_enabled
    ),
    shops AS MATERIALIZED (
        SELECT store_id, time_zone, (as_of AT TIME ZONE time_zone)::date AS today,
               (as_of AT TIME ZONE time_zone)::date - CASE WHEN is_live THEN 0 ELSE 1 END
                   AS last_day
        FROM stores WHERE is_active AND (wanted IS NULL OR store_id = ANY (wanted))
    ),
    feeds AS MATERIALIZED (
        SELECT store_id, day, has_sales,
               max(day) FILTER (WHERE has_sales) OVER (PARTITION BY store_id) AS last_sales
        FROM sales_days(as_of, as_of::date - 91, as_of::date + 1, wanted)
        JOIN shops USING (store_id)
        WHERE day <= last_day
    ),
    lags AS MATERIALIZED (
        SELECT store_id, least(today - max(day), 8) AS lag
        FROM feeds JOIN shops USING (store_id)
        WHERE has_sales AND day < today
        GROUP BY store_id, today
    ),
    sold AS MATERIALIZED (
        SELECT store_id, product_id,
               sum(quantity_sold) FILTER (WHERE age BETWEEN 1 AND 28) / 28 AS velocity,
               sum(revenue) FILTER (WHERE age BETWEEN 1 AND 28 AND quantity_sold > 0)
               / sum(quantity_sold) FILTER (WHERE age BETWEEN 1 AND 28 AND quantity_sold > 0)
                   AS price,
               min(age) FILTER (WHERE quantity_sold > 0) AS silent_days,
               max(age) FILTER (WHERE quantity_sold > 0 AND age <= 62) AS first_age,
               bit_or(1::bigint << age) FILTER (WHERE quantity_sold > 0 AND age <= 62)
                   AS sale_days
        FROM (SELECT store_id, product_id, quantity_sold, revenue, today - business_date AS age
              FROM daily_sales JOIN shops USING (store_id)
              WHERE day >= since AND day <= as_of AND business_date <= last_day) AS daily
        WHERE age <= lookback
        GROUP BY store_id, product_id
    ),
    stock AS (
        SELECT store_id, product_id, quantity_on_hand AS on_hand,
               quantity_available AS available, timestamp
        FROM current_stock
        WHERE is_live AND (wanted IS NULL OR store_id = ANY (wanted))
        UNION ALL
        (SELECT DISTINCT ON (store_id, product_id) store_id, product_id, quantity_on_hand,
                quantity_available, timestamp
         FROM inventory_levels
         WHERE NOT is_live AND timestamp > as_of - INTERVAL '35 days' AND timestamp <= as_of
           AND (wanted IS NULL OR store_id = ANY (wanted))
         ORDER BY store_id, product_id, timestamp DESC)
    ),
    in_force AS MATERIALIZED (
        SELECT store_id, product_id, reorder_point, lead_time_days
        FROM reorder_points
        WHERE effective_from <= as_of AND (effective_to IS NULL OR effective_to > as_of)
          AND (wanted IS NULL OR store_id = ANY (wanted))
    ),
    measured AS (
        SELECT store_id, product_id, department, category, on_hand, available, timestamp,
               reorder_point, coalesce(lead_time_days, 7) AS lead_time_days,
               coalesce(greatest(velocity, 0), 0) AS velocity, silent_days,
               greatest(coalesce(silent_days, lookback) - coalesce(lag, 8), 0) AS unsold_days,
               CASE WHEN velocity > 0 THEN available / velocity END AS cover,
               CASE WHEN bit_count(sale_days::bit(64)) >= 5 THEN first_age - silent_days END
                   AS sale_span,
               bit_count(sale_days::bit(64)) - 1 AS sale_gaps,
               coalesce(price, unit_price, 0) AS price,
               coalesce(unit_cost, unit_price, price, 0) AS cost,
               products.created_at AS known_since
        FROM stock
        JOIN shops USING (store_id)
        JOIN products USING (product_id)
        LEFT JOIN lags USING (store_id)
        LEFT JOIN sold USING (store_id, product_id)
        LEFT JOIN in_force USING (store_id, product_id)
        WHERE products.is_active
    ),
    suspects AS (
        SELECT measured.*, sale_span::numeric / sale_gaps AS sale_interval,
               CASE WHEN available <= loosest.stockout THEN available END AS stockout,
               CASE WHEN available <= reorder_point * loosest.low_stock THEN available END
                   AS low_stock,
               CASE WHEN cover > loosest.overstock THEN cover END AS overstock,
               CASE WHEN on_hand > 0 AND unsold_days >= loosest.dead_stock THEN unsold_days END
                   AS dead_stock,
               CASE WHEN on_hand > 0 AND silent_days * sale_gaps >= sale_span * loosest.phantom_stock
                    THEN (silent_days * sale_gaps)::numeric / nullif(sale_span, 0) END
                   AS phantom_stock
        FROM measured CROSS JOIN loosest
    ),
    judged AS (
        SELECT suspects.*, kind.alert_type, kind.measure, rules.severity,
               rules.evaluations_to_open, rules.snapshot, rules.threshold,
               CASE kind.alert_type WHEN 'low_stock' THEN reorder_point * threshold / 100
                                    ELSE threshold END AS bound
        FROM suspects
        CROSS JOIN LATERAL (VALUES
            ('stockout', stockout), ('low_stock', low_stock), ('overstock', overstock),
            ('dead_stock', dead_stock), ('phantom_stock', phantom_stock)
        ) AS kind (alert_type, measure)
        CROSS JOIN LATERAL (
            SELECT * FROM rules
            WHERE rules.alert_type = kind.alert_type
              AND (rules.store_id IS NULL OR rules.store_id = suspects.store_id)
              AND (rules.product_id IS NULL OR rules.product_id = suspects.product_id)
              AND rules.department IN ('', suspects.department)
              AND rules.category IN ('', suspects.category)
            ORDER BY rules.specificity DESC LIMIT 1
        ) AS rules
        WHERE num_nonnulls(stockout, low_stock, overstock, dead_stock, phantom_stock) > 0
          AND kind.measure IS NOT NULL AND rules.is_enabled
    ),
    held AS (
        SELECT judged.*,
               CASE alert_type WHEN 'stockout' THEN 1
                               WHEN 'low_stock' THEN bound / nullif(greatest(measure, 0), 0)
                               ELSE measure / nullif(bound, 0) END AS beyond
        FROM judged
        WHERE CASE WHEN alert_type IN ('stockout', 'low_stock') THEN measure <= bound
                   WHEN alert_type = 'overstock' THEN measure > bound
                   ELSE measure >= bound END
    ),
    silent AS (
        SELECT store_id, last_sales, min(day) AS expected_on, NULL::numeric AS known_takings
        FROM feeds WHERE NOT has_sales AND day > last_sales
        GROUP BY store_id, last_sales
    ),
    still_silent AS (
        SELECT store_id, (figures ->> 'last_sales')::date,
               coalesce((figures ->> 'expected_on')::date, (figures ->> 'last_sales')::date + 1),
               (figures ->> 'takings_a_day')::numeric
        FROM alerts
        WHERE alert_type = 'feed_gap' AND status IN ('open', 'acknowledged', 'snoozed')
          AND store_id NOT IN (SELECT store_id FROM silent)
          AND NOT EXISTS (SELECT FROM feeds
                          WHERE feeds.store_id = alerts.store_id
                            AND feeds.last_sales > (figures ->> 'last_sales')::date)
    ),
    silences AS (
        SELECT store_id, last_sales, expected_on, known_takings,
               24 * (expected_on - last_sales) AS usual_hours,
               extract(epoch FROM as_of - (last_sales + 1)::timestamp AT TIME ZONE time_zone)
               / 3600 AS hours
        FROM (SELECT * FROM silent UNION ALL SELECT * FROM still_silent) AS found
        JOIN shops USING (store_id)
    ),
    gaps AS (
        SELECT silences.*, rules.*, usual_hours + threshold AS bound
        FROM silences
        CROSS JOIN LATERAL (
            SELECT rules.severity, rules.threshold, rules.is_enabled, rules.snapshot,
                   rules.evaluations_to_open
            FROM rules
            WHERE rules.alert_type = 'feed_gap'
              AND (rules.store_id IS NULL OR rules.store_id = silences.store_id)
            ORDER BY rules.specificity DESC LIMIT 1
        ) AS rules
        WHERE rules.is_enabled AND hours > usual_hours + threshold
    ),
    takings AS (
        SELECT store_id, coalesce(known_takings, greatest(sum(revenue), 0) / 28) AS a_day
        FROM gaps LEFT JOIN (SELECT store_id, business_date, revenue FROM daily_store_sales
                             WHERE day >= as_of - INTERVAL '121 days' AND day <= as_of) AS sales
             USING (store_id)
        WHERE known_takings IS NOT NULL OR business_date > last_sales - 28
        GROUP BY store_id, known_takings
    )
    SELECT alert_type, store_id, product_id, severity::text,
           least(floor(log(2, greatest(coalesce(beyond, 1024), 1))), 10)::smallint,
           round(greatest(CASE alert_type
               WHEN 'stockout' THEN velocity * 7 * price
               WHEN 'low_stock' THEN (velocity * lead_time_days - available) * price
               WHEN 'overstock' THEN (available - velocity * bound) * cost
               ELSE on_hand * cost END, 0), 2),
           CASE alert_type
               WHEN 'stockout' THEN CASE
                   WHEN velocity > 0 THEN format('Nothing available; sells %s a day', trim_scale(round(velocity, 2)))
                   ELSE 'Nothing available' END
               WHEN 'low_stock' THEN format('%s available, reorder at %s',
                   trim_scale(available), trim_scale(reorder_point))
               WHEN 'overstock' THEN format('Stock for %s days; %s is the limit',
                   round(measure), trim_scale(bound))
               WHEN 'dead_stock' THEN format('%s on hand, no sale for %s days',
                   trim_scale(on_hand), CASE WHEN silent_days IS NULL THEN 'over ' ELSE '' END || measure)
               ELSE format('%s on hand, no sale for %s days; sells every %s days',
                   trim_scale(on_hand), silent_days, trim_scale(round(sale_interval, 1))) END,
           jsonb_strip_nulls(jsonb_build_object(
               'measure', round(measure, 2), 'limit', round(bound, 2), 'on_hand', on_hand,
               'available', available, 'counted_at', timestamp, 'reorder_point', reorder_point,
               'velocity', round(velocity, 3), 'cover', round(cover, 1),
               'days_without_sale', CASE alert_type WHEN 'dead_stock' THEN unsold_days
                                                  ELSE silent_days END,
               'days_between_sales', round(sale_interval, 1),
               'price', round(price, 2), 'cost', round(cost, 2))),
           snapshot, evaluations_to_open,
           CASE WHEN alert_type = 'dead_stock' AND silent_days IS NULL
                     AND known_since > as_of - make_interval(days => threshold::integer)
                THEN threshold::integer END
    FROM held
    UNION ALL
    SELECT 'feed_gap', store_id, NULL, severity::text,
           least(floor(log(2, greatest(hours / nullif(bound, 0), 1))), 10)::smallint,
           coalesce(round(takings.a_day * hours / 24, 2), 0),
           format('No sales since %s; the next were expected on %s',
                  to_char(last_sales, 'FMDD Mon'), to_char(expected_on, 'FMDD Mon')),
           jsonb_strip_nulls(jsonb_build_object(
               'measure', round(hours, 1), 'limit', round(bound, 1), 'last_sales', last_sales,
               'expected_on', expected_on, 'takings_a_day', round(takings.a_day, 2))),
           snapshot, evaluations_to_open, NULL
    FROM gaps LEFT JOIN takings USING (store_id);
END $$;
REVOKE ALL ON FUNCTION alert_conditions(timestamptz, boolean, uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION alert_conditions(timestamptz, boolean, uuid[]) TO shelfops_app;
