-- The days on which a feed is missing, of the stores and days on which something came in.
--
-- A store is expected on a day if something came in on that weekday in all, or all but one, of the
-- eight weeks before it, three of them at least; weeks without anything do not count. In a silence
-- the weekdays stay those of its first week, however long it lasts. `silent_weeks` says for how
-- many whole weeks nothing had come in by then.
--
-- A store's weekday is a bit for each week: a year of 500 stores is 3,500 rows. Age 0 is the day
-- `last`; `place` is the age within its week. `fed` says in which weeks that weekday has something,
-- `alive` in which anything came in on it or on the six days after it. Bits are enough for 61
-- weeks up to `last`; older days are left out.
CREATE OR REPLACE FUNCTION feed_gaps(stores uuid[], days date[], first date, last date)
RETURNS TABLE (store_id uuid, day date, silent_weeks integer)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    WITH weekdays AS MATERIALIZED (
        SELECT store_id, (last - day) % 7 AS place, bit_or(1::bigint << (last - day) / 7) AS fed
        FROM unnest(stores, days) AS came_in (store_id, day)
        WHERE last - day BETWEEN 0 AND 426
        GROUP BY 1, 2
    ),
    lively AS (
        SELECT this.store_id, this.place, this.fed,
               bit_or(CASE WHEN later.place <= this.place THEN later.fed ELSE later.fed << 1 END)
                   AS alive
        FROM weekdays AS this JOIN weekdays AS later USING (store_id)
        GROUP BY this.store_id, this.place, this.fed
    ),
    missing AS (
        SELECT store_id, last - (7 * week + place) AS day, fed, alive, week,
               alive >> (week + 1) AS before
        FROM lively CROSS JOIN generate_series(0, (last - first) / 7) AS week
        WHERE fed & (1::bigint << week) = 0 AND last - (7 * week + place) >= first
    ),
    silences AS (
        SELECT store_id, day, fed, alive, week,
               -- the zeros below the lowest bit
               bit_count(((before & -before) - 1)::bit(64))::integer AS silent_weeks
        FROM missing WHERE before > 0
    )
    SELECT store_id, day, silent_weeks
    FROM silences
    CROSS JOIN LATERAL (
        SELECT bit_count(((fed >> (week + 1 + silent_weeks)) & 255)::bit(64)) AS fed_weeks,
               bit_count(((alive >> (week + 1 + silent_weeks)) & 255)::bit(64)) AS alive_weeks
    ) AS counts
    WHERE fed_weeks >= 3 AND fed_weeks >= alive_weeks - 1
$$;
REVOKE ALL ON FUNCTION feed_gaps(uuid[], date[], date, date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION feed_gaps(uuid[], date[], date, date) TO shelfops_app, shelfops_operator;
