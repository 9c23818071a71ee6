"""How alerts are found and kept: the statements that the job, the command and imports share.

`alert_conditions` says which conditions hold at a moment, `apply_alert_conditions` writes what
follows from that by the table of transitions, and `evaluate_alerts` does both for the current
customer, under row security whoever calls it, and records the run. The job calls it for each
customer in a transaction of its own.
"""

from django.db import migrations, models
from django.db.migrations import RunSQL

# When an evaluation last judged the alert, so that judging one moment twice counts once.
JUDGED_AT = "ALTER TABLE alerts ADD COLUMN IF NOT EXISTS judged_at timestamptz;"

# A key by which alerts and conditions are joined: `item` is the product, or the store where
# there is none, since IS NOT DISTINCT FROM uses no index.
KEYS = """
DROP INDEX IF EXISTS idx_alerts_resolved;
CREATE INDEX IF NOT EXISTS idx_alerts_past ON alerts
    (customer_id, store_id, alert_type, coalesce(product_id, store_id), resolved_at DESC)
    WHERE status = 'resolved';
CREATE INDEX IF NOT EXISTS idx_alerts_active ON alerts
    (customer_id, store_id, alert_type, coalesce(product_id, store_id))
    WHERE status IN ('open', 'acknowledged', 'snoozed');
"""
DROP_KEYS = """
DROP INDEX IF EXISTS idx_alerts_active;
DROP INDEX IF EXISTS idx_alerts_past;
CREATE INDEX IF NOT EXISTS idx_alerts_resolved
    ON alerts (customer_id, store_id, product_id, alert_type, resolved_at DESC)
    WHERE status = 'resolved';
"""

# An evaluation reads the sales of as many days as the longest rule for dead stock asks for.
THRESHOLDS = """
ALTER TABLE alert_rules DROP CONSTRAINT IF EXISTS alert_rules_threshold_limit;
ALTER TABLE alert_rules ADD CONSTRAINT alert_rules_threshold_limit CHECK (
    threshold <= CASE alert_type WHEN 'dead_stock' THEN 365 ELSE 1000000 END);
"""

# The job has to know which customers there are; of their rows it sees one customer's at a time.
CUSTOMERS = """
DROP POLICY IF EXISTS customers_jobs ON customers;
CREATE POLICY customers_jobs ON customers FOR SELECT TO shelfops_owner USING (true);
"""

# What applies where a customer has no rule. The units of a threshold are those of the measure:
# available units, % of the reorder point, days of cover, days without a sale, usual intervals
# between sales missed (e to the minus 7 is a chance below 0.1 %), hours.
DEFAULT_RULES = """
CREATE OR REPLACE FUNCTION default_alert_rules() RETURNS TABLE (
    alert_type text, threshold numeric, severity text, evaluations_to_open smallint,
    evaluations_to_resolve smallint, tells_admins boolean, tells_managers boolean,
    tells_staff boolean)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    VALUES ('stockout', 0::numeric, 'critical', 1::smallint, 1::smallint, false, true, true),
           ('low_stock', 100, 'warning', 1, 2, false, true, true),
           ('overstock', 90, 'info', 1, 2, false, true, false),
           ('dead_stock', 60, 'info', 1, 1, false, true, false),
           ('phantom_stock', 7, 'warning', 1, 1, false, true, true),
           ('feed_gap', 12, 'critical', 1, 1, true, true, false);
END;
REVOKE ALL ON FUNCTION default_alert_rules() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION default_alert_rules() TO shelfops_app, shelfops_operator;
"""

# One pass over the stock, its reorder points in force and the sales by day. Of a live evaluation
# the stock is current_stock; of a past moment, the last count before it.
#
# * Sales are those of complete business days, and of today where the evaluation is live. `day`
#   and `timestamp` exclude chunks; `business_date` says which rows count.
# * `sale_days` has a bit for each of the last 62 days with a sale, so that a business day that
#   the aggregate has in two rows counts once.
# * The loosest rule of each type leaves few suspects; only these are joined with their own
#   rule, which may be any of them.
# * A store's rhythm is the usual gap between its days with sales: 9 in 10 of the last 60 days'
#   gaps are no longer.
CONDITIONS = """
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
    lookback integer := greatest(62, (
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
               CASE WHEN velocity > 0 THEN available / velocity END AS cover,
               CASE WHEN bit_count(sale_days::bit(64)) >= 5
                    THEN (first_age - silent_days)::numeric
                         / (bit_count(sale_days::bit(64)) - 1) END AS sale_interval,
               coalesce(price, unit_price, 0) AS price,
               coalesce(unit_cost, unit_price, price, 0) AS cost,
               products.created_at AS known_since
        FROM stock
        JOIN shops USING (store_id)
        JOIN products USING (product_id)
        LEFT JOIN sold USING (store_id, product_id)
        LEFT JOIN in_force USING (store_id, product_id)
        WHERE products.is_active
    ),
    suspects AS (
        SELECT measured.*,
               CASE WHEN available <= loosest.stockout THEN available END AS stockout,
               CASE WHEN available <= reorder_point * loosest.low_stock THEN available END
                   AS low_stock,
               CASE WHEN cover > loosest.overstock THEN cover END AS overstock,
               CASE WHEN on_hand > 0 AND coalesce(silent_days, lookback) >= loosest.dead_stock
                    THEN coalesce(silent_days, lookback) END AS dead_stock,
               CASE WHEN on_hand > 0 AND silent_days >= sale_interval * loosest.phantom_stock
                    THEN silent_days / nullif(sale_interval, 0) END AS phantom_stock
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
    sale_days_of_stores AS (
        SELECT DISTINCT store_id, business_date
        FROM daily_store_sales JOIN shops USING (store_id)
        WHERE day >= as_of - INTERVAL '62 days' AND day <= as_of
          AND business_date BETWEEN today - 60 AND last_day
    ),
    rhythms AS (
        SELECT store_id, max(business_date) AS last_day,
               percentile_disc(0.9) WITHIN GROUP (ORDER BY gap) AS usual_days
        FROM (SELECT store_id, business_date, business_date - lag(business_date)
                  OVER (PARTITION BY store_id ORDER BY business_date) AS gap
              FROM sale_days_of_stores) AS gaps
        GROUP BY store_id
        HAVING count(gap) >= 4
    ),
    silences AS (
        SELECT store_id, rhythms.last_day, usual_days,
               extract(epoch FROM as_of - (rhythms.last_day + 1)::timestamp AT TIME ZONE time_zone)
               / 3600 AS hours
        FROM rhythms JOIN shops USING (store_id)
    ),
    gaps AS (
        SELECT silences.*, rules.*, usual_days * 24 + threshold AS bound
        FROM silences
        CROSS JOIN LATERAL (
            SELECT rules.severity, rules.threshold, rules.is_enabled, rules.snapshot,
                   rules.evaluations_to_open
            FROM rules
            WHERE rules.alert_type = 'feed_gap'
              AND (rules.store_id IS NULL OR rules.store_id = silences.store_id)
            ORDER BY rules.specificity DESC LIMIT 1
        ) AS rules
        WHERE rules.is_enabled AND hours > usual_days * 24 + threshold
    ),
    takings AS (
        SELECT store_id, greatest(sum(revenue), 0) / 28 AS a_day
        FROM daily_store_sales JOIN gaps USING (store_id)
        WHERE day >= as_of - INTERVAL '100 days' AND day <= as_of
          AND business_date > gaps.last_day - 28
        GROUP BY store_id
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
               'days_without_sale', silent_days, 'days_between_sales', round(sale_interval, 1),
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
           format('No sales since %s; they come %s', to_char(gaps.last_day, 'FMDD Mon'),
                  CASE WHEN usual_days = 1 THEN 'every day'
                       ELSE format('every %s days', usual_days) END),
           jsonb_strip_nulls(jsonb_build_object(
               'measure', round(hours, 1), 'limit', round(bound, 1), 'last_sales', gaps.last_day,
               'usual_days', usual_days, 'takings_a_day', round(takings.a_day, 2))),
           snapshot, evaluations_to_open, NULL
    FROM gaps LEFT JOIN takings USING (store_id);
END $$;
REVOKE ALL ON FUNCTION alert_conditions(timestamptz, boolean, uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION alert_conditions(timestamptz, boolean, uuid[]) TO shelfops_app;
"""

# Writes what follows from `found`, the conditions that hold, to the alerts of the `wanted` stores.
# `item` stands for the product, or for the store where there is none, so that keys can be joined
# by equality. While a store's feed is silent, its other alerts are hidden and left as they are.
# Each kind of transition is one statement that writes its events, too; the first of them that
# changes an alert is the one it had at this moment.
APPLY = """
CREATE OR REPLACE FUNCTION apply_alert_conditions(
    moment timestamptz, wanted uuid[], cause text, run alert_evaluations)
RETURNS alert_evaluations
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
SET work_mem = '64MB' AS $$
#variable_conflict use_column
DECLARE
    oldest  integer := (SELECT max(unproven_days) FROM pg_temp.found);
    refuted bigint[];
BEGIN
    -- From here on people wait (alerts/transitions.py), so that nobody comes between the steps.
    PERFORM pg_advisory_xact_lock(hashtextextended('alerts ' || current_customer_id(), 0));

    UPDATE pg_temp.found
    SET alert_id = alerts.alert_id, is_ready = true,
        grade = CASE WHEN alerts.alert_type <> 'stockout' THEN found.grade
                     -- A stockout gets worse with time: after 2 days, 4, 8 ...
                     ELSE floor(log(2, greatest(
                         extract(epoch FROM moment - opened_at) / 86400, 1)))::smallint END
    FROM alerts
    WHERE alerts.status IN ('open', 'acknowledged', 'snoozed')
      AND alerts.alert_type = found.alert_type AND alerts.store_id = found.store_id
      AND coalesce(alerts.product_id, alerts.store_id) = found.item;

    -- Dead stock that nobody saw sell: it has to have been counted, or sold, that long ago.
    -- TimescaleDB refuses the view of an aggregate inside a DELETE, so that a SELECT comes first.
    IF oldest IS NOT NULL THEN
        refuted := ARRAY (
            SELECT id FROM pg_temp.found
            WHERE unproven_days IS NOT NULL
              AND NOT EXISTS (
                  SELECT FROM inventory_levels AS count
                  WHERE count.store_id = found.store_id AND count.product_id = found.product_id
                    AND count.timestamp > moment - make_interval(days => oldest + 35)
                    AND count.timestamp <= moment - make_interval(days => unproven_days))
              AND NOT EXISTS (
                  SELECT FROM daily_sales AS sale
                  WHERE sale.store_id = found.store_id AND sale.product_id = found.product_id
                    AND sale.day > moment - INTERVAL '1 year' AND sale.day <= moment
                    AND sale.quantity_sold > 0));
        DELETE FROM pg_temp.found USING unnest(refuted) AS refuted (id)
        WHERE found.id = refuted.id;
    END IF;
    -- An empty shelf explains that nothing was sold.
    DELETE FROM pg_temp.found
    WHERE found.alert_type = 'phantom_stock' AND alert_id IS NULL
      AND EXISTS (SELECT FROM inventory_levels AS count
                  WHERE count.store_id = found.store_id AND count.product_id = found.product_id
                    AND count.timestamp > moment - INTERVAL '62 days' AND count.timestamp <= moment
                    AND count.timestamp > moment
                        - make_interval(days => (figures ->> 'days_without_sale')::integer)
                    AND count.quantity_available <= 0);
    run.held := (SELECT count(*) FROM pg_temp.found);

    -- How many evaluations in a row have found what its rule does not open at once.
    INSERT INTO pending_conditions AS pending (customer_id, store_id, product_id, alert_type, last_seen_at)
    SELECT (SELECT current_customer_id()), store_id, product_id, alert_type, moment
    FROM pg_temp.found WHERE NOT is_ready
    ON CONFLICT ON CONSTRAINT pending_conditions_key DO UPDATE
    SET streak = least(pending.streak + 1, 100), last_seen_at = excluded.last_seen_at
    WHERE pending.last_seen_at < excluded.last_seen_at;
    UPDATE pg_temp.found SET is_ready = true
    FROM pending_conditions AS pending
    WHERE NOT is_ready AND streak >= found.evaluations_to_open
      AND pending.store_id = found.store_id AND pending.alert_type = found.alert_type
      AND coalesce(pending.product_id, pending.store_id) = found.item;

    -- Inhibition.
    DELETE FROM pg_temp.found
    WHERE alert_type <> 'feed_gap' AND store_id IN (
        SELECT store_id FROM pg_temp.found WHERE alert_type = 'feed_gap' AND is_ready);
    UPDATE pg_temp.found SET hidden_by = 'stockout', grade = 0
    FROM pg_temp.found AS stockout
    WHERE found.alert_type = 'low_stock' AND stockout.alert_type = 'stockout'
      AND stockout.is_ready
      AND stockout.store_id = found.store_id AND stockout.item = found.item;
    ANALYZE pg_temp.found;

    WITH wished AS (
        SELECT alerts.alert_id, CASE
                   WHEN alerts.alert_type <> 'feed_gap' AND alerts.store_id IN (
                       SELECT store_id FROM pg_temp.found
                       WHERE alert_type = 'feed_gap' AND is_ready) THEN 'feed_gap'
                   ELSE coalesce(found.hidden_by, '') END AS hidden_by
        FROM alerts LEFT JOIN pg_temp.found ON found.alert_id = alerts.alert_id
        WHERE alerts.status IN ('open', 'acknowledged', 'snoozed')
          AND (wanted IS NULL OR alerts.store_id = ANY (wanted))
    ),
    changed AS (
        UPDATE alerts SET hidden_by = wished.hidden_by, version = version + 1, updated_at = now()
        FROM wished
        WHERE wished.alert_id = alerts.alert_id AND wished.hidden_by <> alerts.hidden_by
        RETURNING alerts.*
    )
    INSERT INTO alert_events (customer_id, alert_id, version, kind, from_status, to_status,
                              source, reason, figures, at)
    SELECT customer_id, alert_id, version,
           CASE WHEN hidden_by = '' THEN 'shown' ELSE 'hidden' END, status, status,
           cause, hidden_by, figures, moment
    FROM changed;

    -- A snooze ends when its time has come, or when it has got worse, whoever is hidden.
    WITH due AS (
        SELECT alerts.alert_id, found.grade, found.severity, snoozed_until > moment AS got_worse
        FROM alerts LEFT JOIN pg_temp.found ON found.alert_id = alerts.alert_id
        WHERE alerts.status = 'snoozed' AND (wanted IS NULL OR alerts.store_id = ANY (wanted))
          AND (snoozed_until <= moment
               OR found.grade > coalesce(snoozed_grade, worst_grade)
               OR found.priority > alerts.priority)
    ),
    changed AS (
        UPDATE alerts
        SET status = 'open', snoozed_until = NULL, snoozed_grade = NULL,
            worst_grade = greatest(worst_grade, due.grade),
            severity = coalesce(due.severity, alerts.severity),
            version = version + 1, updated_at = now()
        FROM due WHERE due.alert_id = alerts.alert_id
        RETURNING alerts.*, due.got_worse
    ),
    logged AS (
        INSERT INTO alert_events (customer_id, alert_id, version, kind, from_status, to_status,
                                  source, reason, figures, at)
        SELECT customer_id, alert_id, version, 'woken', 'snoozed', 'open',
               cause, CASE WHEN got_worse THEN 'worse' ELSE 'time' END, figures, moment
        FROM changed
    )
    SELECT count(*) INTO run.woken FROM changed;

    WITH changed AS (
        UPDATE alerts
        SET worst_grade = greatest(worst_grade, found.grade), severity = found.severity,
            version = version + 1, updated_at = now()
        FROM pg_temp.found
        WHERE found.alert_id = alerts.alert_id AND alerts.status IN ('open', 'acknowledged')
          AND (found.grade > worst_grade OR found.priority > alerts.priority)
        RETURNING alerts.*, found.figures AS current
    ),
    logged AS (
        INSERT INTO alert_events (customer_id, alert_id, version, kind, from_status, to_status,
                                  source, figures, at)
        SELECT customer_id, alert_id, version, 'worse', status, status, cause, current, moment
        FROM changed
    )
    SELECT count(*) INTO run.worse FROM changed;

    -- The last alert on the same condition, by idx_alerts_past.
    UPDATE pg_temp.found SET previous_id = past.alert_id, resolved_at = past.resolved_at
    FROM (SELECT found.id, last.* FROM pg_temp.found CROSS JOIN LATERAL (
              SELECT alerts.alert_id, alerts.resolved_at FROM alerts
              WHERE alerts.store_id = found.store_id AND alerts.alert_type = found.alert_type
                AND coalesce(alerts.product_id, alerts.store_id) = found.item
                AND alerts.status = 'resolved'
              ORDER BY alerts.resolved_at DESC LIMIT 1) AS last
          WHERE found.alert_id IS NULL AND found.is_ready AND found.hidden_by = '') AS past
    WHERE past.id = found.id;

    -- Back within 7 days: the same alert takes its key again.
    WITH back AS (
        SELECT id, previous_id, figures FROM pg_temp.found
        WHERE found.resolved_at >= moment - INTERVAL '7 days'
    ),
    changed AS (
        UPDATE alerts
        SET status = 'open', is_regressed = true, opened_at = moment, resolved_at = NULL,
            resolution = '', worst_grade = 0, opening_figures = back.figures, version = version + 1, updated_at = now()
        FROM back WHERE back.previous_id = alerts.alert_id
        RETURNING alerts.customer_id, alerts.alert_id, version, back.id, back.figures
    ),
    logged AS (
        INSERT INTO alert_events (customer_id, alert_id, version, kind, from_status, to_status,
                                  source, figures, at)
        SELECT customer_id, alert_id, version, 'regressed', 'resolved', 'open',
               cause, figures, moment
        FROM changed
    ),
    known AS (
        UPDATE pg_temp.found SET alert_id = changed.alert_id FROM changed
        WHERE changed.id = found.id
    )
    SELECT count(*) INTO run.regressed FROM changed;

    -- What holds: a new alert, or one more occurrence of the one that has the key.
    WITH held AS (
        INSERT INTO alerts AS alert (
            customer_id, store_id, product_id, alert_type, severity, message, money_at_stake,
            figures, opening_figures, rule, grade, worst_grade, previous_id,
            created_at, opened_at, last_seen_at, judged_at)
        SELECT (SELECT current_customer_id()), store_id, product_id, alert_type, severity,
               message, money, figures, figures, rule, grade, grade,
               CASE WHEN found.alert_id IS NULL THEN found.previous_id END,
               moment, moment, moment, moment
        FROM pg_temp.found
        WHERE found.alert_id IS NOT NULL OR (found.is_ready AND found.hidden_by = '')
        ON CONFLICT (customer_id, store_id, product_id, alert_type)
            WHERE status IN ('open', 'acknowledged', 'snoozed')
        DO UPDATE SET
            occurrences = alert.occurrences + 1, clear_count = 0,
            last_seen_at = excluded.last_seen_at, judged_at = excluded.judged_at,
            severity = excluded.severity, message = excluded.message,
            money_at_stake = excluded.money_at_stake, figures = excluded.figures,
            rule = excluded.rule, grade = excluded.grade,
            worst_grade = greatest(alert.worst_grade, excluded.grade), updated_at = now()
        WHERE coalesce(alert.judged_at, '-infinity') < excluded.judged_at
        RETURNING customer_id, alert_id, occurrences, figures
    ),
    logged AS (
        INSERT INTO alert_events (customer_id, alert_id, version, kind, to_status, source,
                                  figures, at)
        SELECT customer_id, alert_id, 1, 'opened', 'open', cause, figures, moment
        FROM held WHERE occurrences = 1
    )
    SELECT count(*) FILTER (WHERE occurrences = 1) INTO run.opened FROM held;

    -- What is clear, for as many evaluations as its rule asks for.
    WITH clear AS (
        SELECT alert_id, status AS from_status,
               clear_count + 1 >= coalesce((rule ->> 'evaluations_to_resolve')::integer, 1) AS over
        FROM alerts
        WHERE status IN ('open', 'acknowledged', 'snoozed')
          AND alert_type IN ('stockout', 'low_stock', 'overstock', 'dead_stock',
                             'phantom_stock', 'feed_gap')
          AND (wanted IS NULL OR store_id = ANY (wanted))
          AND hidden_by <> 'feed_gap' AND coalesce(judged_at, '-infinity') < moment
          AND NOT EXISTS (SELECT FROM pg_temp.found
                          WHERE found.alert_type = alerts.alert_type
                            AND found.store_id = alerts.store_id
                            AND found.item = coalesce(alerts.product_id, alerts.store_id))
    ),
    counted AS (
        UPDATE alerts SET clear_count = clear_count + 1, judged_at = moment, updated_at = now()
        FROM clear WHERE clear.alert_id = alerts.alert_id AND NOT over
    ),
    changed AS (
        UPDATE alerts
        SET status = 'resolved', resolved_at = moment, resolution = 'clear', hidden_by = '',
            snoozed_until = NULL, snoozed_grade = NULL, clear_count = clear_count + 1,
            judged_at = moment, version = version + 1, updated_at = now()
        FROM clear WHERE clear.alert_id = alerts.alert_id AND over
        RETURNING alerts.*, from_status
    ),
    logged AS (
        INSERT INTO alert_events (customer_id, alert_id, version, kind, from_status, to_status,
                                  source, reason, figures, at)
        SELECT customer_id, alert_id, version, 'resolved', from_status, 'resolved', cause,
               'clear', figures, moment
        FROM changed
    )
    SELECT count(*) INTO run.resolved FROM changed;

    -- A streak ends where the condition has, or where it has become an alert.
    DELETE FROM pending_conditions AS pending
    WHERE (wanted IS NULL OR store_id = ANY (wanted))
      AND store_id NOT IN (SELECT store_id FROM pg_temp.found
                           WHERE alert_type = 'feed_gap' AND is_ready)
      AND NOT EXISTS (SELECT FROM pg_temp.found
                      WHERE found.alert_type = pending.alert_type AND NOT found.is_ready
                        AND found.store_id = pending.store_id
                        AND found.item = coalesce(pending.product_id, pending.store_id));
    RETURN run;
END $$;
REVOKE ALL ON FUNCTION apply_alert_conditions(timestamptz, uuid[], text, alert_evaluations)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION apply_alert_conditions(timestamptz, uuid[], text, alert_evaluations)
    TO shelfops_app;
"""

# Errors undo what the evaluation wrote, and are recorded: nobody has to look into a log to see
# that there was one. A live evaluation takes its moment once it has its turn.
EVALUATE = """
CREATE OR REPLACE FUNCTION evaluate_alerts(
    cause text, as_of timestamptz DEFAULT NULL, wanted uuid[] DEFAULT NULL)
RETURNS alert_evaluations
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    moment timestamptz;
    run    alert_evaluations;
    failed alert_evaluations;
BEGIN
    IF current_customer_id() IS NULL THEN
        RAISE EXCEPTION 'no customer is set';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('evaluate alerts ' || current_customer_id(), 0));
    moment := coalesce(as_of, clock_timestamp());
    SELECT gen_random_uuid() AS evaluation_id, current_customer_id() AS customer_id,
           cause AS source, moment AS as_of, cardinality(wanted) AS stores,
           clock_timestamp() AS started_at, NULL::timestamptz AS finished_at,
           0 AS held, 0 AS opened, 0 AS regressed, 0 AS worse, 0 AS woken, 0 AS resolved,
           '' AS error
    INTO run;
    failed := run;
    BEGIN
        IF moment > clock_timestamp() THEN
            RAISE EXCEPTION 'the future cannot be evaluated';
        END IF;
        IF EXISTS (SELECT FROM alert_evaluations AS past
                   WHERE past.as_of > moment AND past.error = '') THEN
            RAISE EXCEPTION 'a later moment has been evaluated already';
        END IF;
        CREATE TEMP TABLE found ON COMMIT DROP AS
        SELECT row_number() OVER () AS id, held.*,
               coalesce(held.product_id, held.store_id) AS item,
               array_position(ARRAY['info', 'warning', 'critical'], held.severity) AS priority,
               held.evaluations_to_open = 1 AS is_ready, NULL::uuid AS alert_id,
               NULL::uuid AS previous_id, NULL::timestamptz AS resolved_at,
               '' AS hidden_by
        FROM alert_conditions(moment, evaluate_alerts.as_of IS NULL, wanted) AS held;
        ANALYZE pg_temp.found;
        run := apply_alert_conditions(moment, wanted, cause, run);
        DROP TABLE pg_temp.found;
    EXCEPTION WHEN OTHERS THEN
        run := failed;
        run.error := SQLERRM;
    END;
    run.finished_at := clock_timestamp();
    INSERT INTO alert_evaluations SELECT run.*;
    RETURN run;
END $$;
REVOKE ALL ON FUNCTION evaluate_alerts(text, timestamptz, uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION evaluate_alerts(text, timestamptz, uuid[]) TO shelfops_app;
"""

# The procedure commits, so it can have no SET search_path; its names are qualified instead. A
# customer whose evaluation fails does not stop the others; at the end the job has failed, too.
JOB = """
CREATE OR REPLACE PROCEDURE timeseries.evaluate_alerts(
    job_id integer DEFAULT NULL, config jsonb DEFAULT NULL)
LANGUAGE plpgsql AS $$
DECLARE
    customers uuid[];
    customer  uuid;
    failures  integer := 0;
BEGIN
    SELECT pg_catalog.array_agg(customer_id) INTO customers
    FROM public.customers WHERE is_active;
    FOREACH customer IN ARRAY coalesce(customers, '{}') LOOP
        PERFORM pg_catalog.set_config('app.current_customer_id', customer::text, true);
        IF (public.evaluate_alerts('job')).error <> '' THEN
            failures := failures + 1;
        END IF;
        DELETE FROM public.alert_evaluations
        WHERE finished_at < pg_catalog.now() - INTERVAL '90 days';
        COMMIT;
    END LOOP;
    IF failures > 0 THEN
        RAISE EXCEPTION 'the evaluation of % customers failed; see alert_evaluations', failures;
    END IF;
END $$;
REVOKE ALL ON PROCEDURE timeseries.evaluate_alerts(integer, jsonb) FROM PUBLIC;

SELECT add_job('timeseries.evaluate_alerts', INTERVAL '15 minutes')
WHERE NOT EXISTS (SELECT FROM timescaledb_information.jobs
                  WHERE proc_schema = 'timeseries' AND proc_name = 'evaluate_alerts');
"""
DROP_JOB = """
SELECT delete_job(job_id) FROM timescaledb_information.jobs
WHERE proc_schema = 'timeseries' AND proc_name = 'evaluate_alerts';
DROP PROCEDURE IF EXISTS timeseries.evaluate_alerts(integer, jsonb);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("alerts", "0002_rules_and_events"),
        ("inventory", "0001_initial"),
        ("sales", "0001_initial"),
    ]

    operations = [
        RunSQL(JUDGED_AT, "ALTER TABLE alerts DROP COLUMN IF EXISTS judged_at;"),
        RunSQL(KEYS, DROP_KEYS),
        RunSQL(
            THRESHOLDS,
            "ALTER TABLE alert_rules DROP CONSTRAINT IF EXISTS alert_rules_threshold_limit;",
        ),
        RunSQL(CUSTOMERS, "DROP POLICY IF EXISTS customers_jobs ON customers;"),
        RunSQL(DEFAULT_RULES, "DROP FUNCTION IF EXISTS default_alert_rules();"),
        RunSQL(
            CONDITIONS,
            "DROP FUNCTION IF EXISTS alert_conditions(timestamptz, boolean, uuid[]);",
        ),
        RunSQL(
            APPLY,
            "DROP FUNCTION IF EXISTS"
            " apply_alert_conditions(timestamptz, uuid[], text, alert_evaluations);",
        ),
        RunSQL(EVALUATE, "DROP FUNCTION IF EXISTS evaluate_alerts(text, timestamptz, uuid[]);"),
        RunSQL(JOB, DROP_JOB),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AddField(
                    model_name="alert",
                    name="judged_at",
                    field=models.DateTimeField(blank=True, editable=False, null=True),
                )
            ]
        ),
    ]
