-- Of the current customer's active stores (or of those `wanted`), the days from `first` to `last`
-- with sales, and those without although the store was expected to have some (feed_gaps). No day is
-- missing before it is over by the store's clock at `as_of`; sales of that day count.
--
-- Reads the aggregate by store and day: 16 weeks before `first`, so that a silence of eight weeks
-- still shows which weekdays were usual. Planned for its parameters, which exclude chunks.
CREATE OR REPLACE FUNCTION sales_days(as_of timestamptz, first date, last date, wanted uuid[])
RETURNS TABLE (store_id uuid, day date, has_sales boolean, silent_weeks integer)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, public, pg_temp
SET plan_cache_mode = 'force_custom_plan' AS $$
#variable_conflict use_column
DECLARE
    since  date := first - 112;
    stores uuid[];
    days   date[];
BEGIN
    SELECT array_agg(store_id), array_agg(business_date) INTO stores, days
    FROM (
        SELECT DISTINCT store_id, business_date FROM daily_store_sales
        WHERE day >= (since - 1)::timestamp AT TIME ZONE 'UTC'
          AND day < (last + 2)::timestamp AT TIME ZONE 'UTC'
          AND business_date BETWEEN since AND last
          AND (wanted IS NULL OR store_id = ANY (wanted))
    ) AS sold;
    RETURN QUERY
    SELECT found.store_id, found.day, found.has_sales, found.silent_weeks
    FROM (
        SELECT store_id, day, true AS has_sales, 0 AS silent_weeks
        FROM unnest(stores, days) AS sold (store_id, day) WHERE day >= first
        UNION ALL
        SELECT store_id, day, false, silent_weeks FROM feed_gaps(stores, days, first, last)
    ) AS found
    JOIN (SELECT store_id, (as_of AT TIME ZONE time_zone)::date AS today FROM public.stores
          WHERE is_active) AS shops USING (store_id)
    WHERE day < today OR (day = today AND has_sales);
END $$;
REVOKE ALL ON FUNCTION sales_days(timestamptz, date, date, uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sales_days(timestamptz, date, date, uuid[])
    TO shelfops_app, shelfops_operator;
