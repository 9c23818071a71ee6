"""When something happened, of which a file tells the time with or without its zone."""

# For a FROM that has `staged` and `stores`: adds `moment`, and whether the clocks `skipped` or
# `repeated` it.
# {time} is the column of times that come with their zone; `local_time` is what a clock on the
# wall showed, the store's own unless the import names a zone.
#
# Of a time that is skipped or repeated, PostgreSQL takes the later reading: 02:30 skipped is
# 03:30 of summer time, 01:30 repeated is the one in standard time. A repeated time here is the
# first of the two, found through the difference of the clock three hours before. A skipped
# time cannot have been, and does not read as itself; times moved from another year may.
# OFFSET 0 has each step worked out once a row.
MOMENTS = """
    CROSS JOIN LATERAL (
        SELECT coalesce(%(time_zone)s, stores.time_zone) AS zone, staged.local_time AS clock,
               staged.local_time AT TIME ZONE coalesce(%(time_zone)s, stores.time_zone) AS later
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
