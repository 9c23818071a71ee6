"""When something happened, of which a file tells the time with or without its zone."""

# For a FROM that has `staged` and `stores`: adds `moment`, whether the clocks `skipped` or
# `repeated` it, and `own_zone`, the store's at that time.
# {time} is the column of times that come with their zone; `local_time` is what a clock on the
# wall showed, the store's own unless the import names a zone. Of a store whose zone was changed,
# each day is read in the zone that it had, by the key of store_time_zones; so a file from before
# the change, imported again, gives the same moments.
#
# Of a time that is skipped or repeated, PostgreSQL takes the later reading: 02:30 skipped is
# 03:30 of summer time, 01:30 repeated is the one in standard time. A repeated time here is the
# first of the two, found through the difference of the clock three hours before. A skipped
# time cannot have been, and does not read as itself; times moved from another year may.
# OFFSET 0 has each step worked out once a row.
MOMENTS = """
    LEFT JOIN LATERAL (
        SELECT kept.time_zone FROM store_time_zones AS kept
        WHERE kept.store_id = stores.store_id
          AND kept.until > (
                  CASE WHEN staged.{time} IS NOT NULL THEN staged.{time} AT TIME ZONE kept.time_zone
                       WHEN %(time_zone)s::text IS NULL THEN staged.local_time
                       ELSE staged.local_time AT TIME ZONE %(time_zone)s AT TIME ZONE kept.time_zone
                  END)::date
        ORDER BY kept.until LIMIT 1) AS former ON true
    CROSS JOIN LATERAL (
        SELECT coalesce(former.time_zone, stores.time_zone) AS own_zone OFFSET 0) AS own
    CROSS JOIN LATERAL (
        SELECT coalesce(%(time_zone)s, own_zone) AS zone, staged.local_time AS clock,
               staged.local_time AT TIME ZONE coalesce(%(time_zone)s, own_zone) AS later
        OFFSET 0) AS read
    CROSS JOIN LATERAL (
        SELECT later - (((later - INTERVAL '3 hours') AT TIME ZONE zone)
                        - (clock - INTERVAL '3 hours')) AS earlier OFFSET 0) AS before
    CROSS JOIN LATERAL (
        SELECT CASE WHEN staged.{time} IS NOT NULL THEN staged.{time}
                    WHEN earlier < later AND earlier AT TIME ZONE zone = clock THEN earlier
                    ELSE later END AS moment,
               staged.{time} IS NULL AND earlier < later
                   AND earlier AT TIME ZONE zone = clock AS repeated,
               staged.{time} IS NULL AND NOT %(moved)s
                   AND later AT TIME ZONE zone <> clock AS skipped
        OFFSET 0) AS moments
"""
