"""Which days of sales are there, and which are missing: for pages, reports and their presets.

`sales_days` of the database says on which days a store had sales, and on which it had none though
it was expected to. A day is complete when some of the expected stores reported, and more than half
of them; a store that has been silent for four weeks is no longer waited for. The last day of
sales, with which periods end, is the last complete one.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime

from sales.scope import IN_STORES, Stores
from shelfops.reports.period import long_date
from shelfops.reports.sql import Row, row

# A store silent for so long holds back no day.
WAITED_WEEKS = 4
# Days before are looked at only where these hold no sales.
RECENT_DAYS = 91
# Of more days without data the page says how many.
LISTED_DAYS = 4

IS_COMPLETE = "reported > 0 AND reported * 2 > expected"
REPORTS = f"""
count(*) FILTER (WHERE has_sales) AS reported,
count(*) FILTER (WHERE has_sales OR silent_weeks < {WAITED_WEEKS}) AS expected
"""
# A day is over when it is over in every store.
TODAY = f"""
today AS (
    SELECT coalesce(min((now() AT TIME ZONE time_zone)::date), current_date) AS day FROM stores
    WHERE {IN_STORES}
)
"""
LAST_DAYS = f"""
WITH {TODAY},
reports AS MATERIALIZED (
    SELECT found.day, {REPORTS}
    FROM today
    CROSS JOIN sales_days(now(), today.day - {RECENT_DAYS}, today.day - 1, %(stores)s::uuid[])
        AS found
    GROUP BY found.day
),
last AS (SELECT * FROM reports WHERE {IS_COMPLETE} ORDER BY day DESC LIMIT 1),
early AS (
    SELECT * FROM reports WHERE reported > 0 AND day > (SELECT day FROM last)
    ORDER BY day DESC LIMIT 1
)
SELECT today.day - 1 AS last_full_day, last.day AS last_day, last.reported, last.expected,
       early.day AS early_day, early.reported AS early_reported, early.expected AS early_expected
FROM today LEFT JOIN last ON true LEFT JOIN early ON true
"""
# Where no store is open, or none has reported for long. Bounds on `day` exclude chunks.
LAST_SALES = f"""
WITH {TODAY}
SELECT max(business_date) AS last_day FROM daily_store_sales
WHERE day >= %(since)s AND business_date < (SELECT day FROM today) AND {IN_STORES}
"""
EVER = datetime(2000, 1, 1, tzinfo=UTC)


def last_days(stores: Stores) -> Row:
    """The last complete day (`last_day`), and how many of the `expected` stores reported on it.

    None where nothing was sold yet; `last_full_day` is the last day that is over in every store.
    Where fewer have reported of a later day, the latest such is `early_day`.
    """
    found = row(LAST_DAYS, {"stores": stores})
    if found["last_day"] is None:
        found |= row(LAST_SALES, {"stores": stores, "since": EVER})
    return found


def last_business_day(stores: Stores) -> date:
    """The day that ranges such as "28 days" end with: the last complete one."""
    return period_end(last_days(stores))


def period_end(found: Row) -> date:
    """The same, where `last_days` have been read already."""
    day: date = found["last_day"] or found["last_full_day"]
    return day


def is_late(found: Row) -> bool:
    """Whether days that are over have passed since, without any sales."""
    day = found["last_day"]
    return bool(day and day < found["last_full_day"] and not found["early_day"])


def last_day_notes(found: Row) -> list[str]:
    """What to tell people about the last day: that it is late, or that stores are missing."""
    day, early = found["last_day"], found["early_day"]
    notes = []
    if is_late(found):
        notes.append(f"The latest sales received are of {long_date(day)}.")
    if found["reported"] and found["reported"] < found["expected"]:
        notes.append(_reported(day, found["reported"], found["expected"]))
    if early:
        notes.append(_reported(early, found["early_reported"], found["early_expected"], "Only "))
    return notes


def _reported(day: date, reported: int, expected: int, only: str = "") -> str:
    return f"{only}{reported:,} of {expected:,} stores reported on {long_date(day)}."


def left_out_notes(left_out: int, stores: int, days: Sequence[date] | None) -> list[str]:
    """That a comparison leaves out stores, and on which days their sales are missing."""
    if not left_out:
        return []
    where = f"{left_out:,} of {stores:,} stores, without data on {listed(days or ())}"
    return [f"Left out of the comparison: {where}."]


def listed(days: Sequence[date]) -> str:
    """A few days by name, more by their number."""
    if len(days) > LISTED_DAYS:
        return f"{len(days):,} days"
    return ", ".join(long_date(day) for day in days)
