"""Reads of the inbox. `stores` limits a query to stores; None is all of the customer's."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

from shelfops.admin import store_ids
from shelfops.reports.sql import Row, row, rows
from shelfops.tenancy.models import User

if TYPE_CHECKING:
    from alerts.inbox.filters import Cursor, InboxScope

PAGE = 50
# Counting stops here: "1,000+" costs the same whatever there is.
MOST_COUNTED = 1000
MOST_AT_ONCE = 10_000

TABS = {
    "open": "status = 'open'",
    "mine": "status IN ('open', 'acknowledged', 'snoozed') AND owner_id = %(user)s",
    "acknowledged": "status = 'acknowledged'",
    "snoozed": "status = 'snoozed'",
    "resolved": "status = 'resolved'",
}
# Conditions that do not narrow are constants to the planner, which drops them.
WANTED = """
wanted AS MATERIALIZED (
    SELECT product_id FROM products
    WHERE (%(department)s <> '' OR %(search)s <> '')
      AND (%(department)s = '' OR department = %(department)s)
      AND (%(search)s = '' OR name ILIKE %(search)s OR sku ILIKE %(search)s)
)
"""
NARROWED = """
(%(stores)s::uuid[] IS NULL OR store_id = ANY (%(stores)s::uuid[]))
AND (%(alert_type)s = '' OR alert_type = %(alert_type)s)
AND (%(severity)s = '' OR severity = %(severity)s)
AND (%(owner)s::uuid IS NULL OR owner_id = %(owner)s::uuid)
AND (NOT %(unowned)s OR owner_id IS NULL)
AND (%(opened_before)s::timestamptz IS NULL OR opened_at < %(opened_before)s::timestamptz)
AND (%(opened_after)s::timestamptz IS NULL OR opened_at >= %(opened_after)s::timestamptz)
AND (%(department)s = '' OR product_id IN (SELECT product_id FROM wanted))
AND (%(search)s = '' OR product_id IN (SELECT product_id FROM wanted)
     OR (%(department)s = '' AND message ILIKE %(search)s))
"""
# The order of a list, and what comes after a row of it. The first comparison is where the scan of
# the index begins. By idx_alerts_shown, idx_alerts_shown_opened and idx_alerts_resolved_at, or of
# some stores by idx_alerts_shown_store.
STAKE = (
    "priority DESC, money_at_stake DESC, alert_id",
    """(priority, money_at_stake) <= (%(first)s, %(second)s)
       AND ((priority, money_at_stake) < (%(first)s, %(second)s) OR alert_id > %(last)s)""",
)
NEWEST = (
    "{time} DESC, alert_id",
    "{time} <= %(first)s AND ({time} < %(first)s OR alert_id > %(last)s)",
)
OLDEST = (
    "{time}, alert_id",
    "{time} >= %(first)s AND ({time} > %(first)s OR alert_id > %(last)s)",
)

# Only the rows of the page are joined with names, by their keys.
LIST = """
WITH {wanted},
page AS (
    SELECT alert_id, store_id, product_id, owner_id, alert_type, severity, priority, status,
           version, message, money_at_stake, opened_at, resolved_at, snoozed_until, resolution,
           is_regressed, hidden_by
    FROM alerts
    WHERE {tab} AND {shown} AND {narrowed} AND {after}
    ORDER BY {order} LIMIT %(limit)s
)
SELECT page.*, store.name AS store, product.name AS product, sku, owner.name AS owner
FROM page
JOIN stores AS store USING (store_id)
LEFT JOIN products AS product ON product.product_id = page.product_id
LEFT JOIN users AS owner ON owner.user_id = page.owner_id
ORDER BY {order}
"""
IDS = """
WITH {wanted}
SELECT alert_id, version FROM alerts
WHERE {tab} AND {shown} AND {narrowed} ORDER BY {order} LIMIT %(limit)s
"""
COUNT = """
(SELECT count(*) FROM (
    SELECT FROM alerts WHERE {tab} AND {shown} AND {narrowed} LIMIT %(most)s) AS counted) AS {name}
"""
SHOWN, HIDDEN = "hidden_by = ''", "hidden_by <> ''"


def _order(scope: "InboxScope") -> tuple[str, str]:
    time = "resolved_at" if scope.tab == "resolved" else "opened_at"
    if scope.sort == "oldest":
        chosen = OLDEST
    else:
        chosen = NEWEST if scope.sort or scope.tab == "resolved" else STAKE
    return chosen[0].format(time=time), chosen[1].format(time=time)


def _shown(tab: str, hidden: bool) -> str:
    """What is resolved is no longer hidden, even if it was when a person resolved it."""
    if tab == "resolved":
        return "true"
    return HIDDEN if hidden else SHOWN


def _statement(template: str, scope: "InboxScope", **parts: str) -> str:
    return template.format(
        wanted=WANTED,
        tab=TABS[scope.tab],
        shown=_shown(scope.tab, scope.hidden),
        narrowed=NARROWED,
        **parts,
    )


def alerts(scope: "InboxScope", after: "Cursor | None") -> list[Row]:
    """A page of the list, and one row more if there is another page."""
    order, beyond = _order(scope)
    statement = _statement(LIST, scope, order=order, after=beyond if after else "true")
    cursor = {"first": after.first, "second": after.second, "last": after.alert_id} if after else {}
    return rows(statement, {**scope.params(), **cursor, "limit": PAGE + 1})


def matching(scope: "InboxScope") -> dict[UUID, int]:
    """All alerts of the list as they are now, id and version, up to MOST_AT_ONCE."""
    statement = _statement(IDS, scope, order=_order(scope)[0])
    found = rows(statement, {**scope.params(), "limit": MOST_AT_ONCE})
    return {alert["alert_id"]: alert["version"] for alert in found}


def counts(scope: "InboxScope") -> Row:
    """How many alerts each tab holds, and how many active ones are hidden; at most 1,001 each."""
    active = "status IN ('open', 'acknowledged', 'snoozed')"
    wanted = [(name, condition, _shown(name, False)) for name, condition in TABS.items()]
    figures = [
        COUNT.format(name=name, tab=tab, shown=shown, narrowed=NARROWED)
        for name, tab, shown in [*wanted, ("hidden", active, HIDDEN)]
    ]
    statement = f"WITH {WANTED} SELECT {', '.join(figures)}"
    return row(statement, {**scope.params(), "most": MOST_COUNTED + 1})


# Who can own an alert: administrators, and who works in one of the stores.
PEOPLE = """
SELECT user_id, name FROM users
WHERE customer_id = (SELECT current_customer_id()) AND is_active
  AND (role = 'admin' OR role IN ('manager', 'staff') AND EXISTS (
        SELECT FROM store_assignments AS works
        WHERE works.user_id = users.user_id
          AND (%(stores)s::uuid[] IS NULL OR works.store_id = ANY (%(stores)s::uuid[]))))
ORDER BY name, user_id
"""


def people(user: User, store: UUID | None = None) -> list[Row]:
    """Who can own alerts of the user's stores, or of one store."""
    return rows(PEOPLE, {"stores": [store] if store else store_ids(user)})


# By the key; the joins add no rows.
ALERT = """
SELECT alert.*, store.name AS store, store.time_zone, product.name AS product, sku, department,
       category, owner.name AS owner, past.opened_at AS past_opened_at,
       past.resolved_at AS past_resolved_at
FROM alerts AS alert
JOIN stores AS store USING (store_id)
LEFT JOIN products AS product ON product.product_id = alert.product_id
LEFT JOIN users AS owner ON owner.user_id = alert.owner_id
LEFT JOIN alerts AS past ON past.alert_id = alert.previous_id
WHERE alert.alert_id = %(alert)s
  AND (%(stores)s::uuid[] IS NULL OR alert.store_id = ANY (%(stores)s::uuid[]))
"""
# By idx_alert_events_alert; the latest ones of a long course.
EVENTS = """
SELECT event_id, version, kind, from_status, to_status, source, actor_id, actor, reason, note,
       figures, before, at
FROM alert_events WHERE alert_id = %(alert)s
ORDER BY at DESC, version DESC LIMIT %(limit)s
"""
# By idx_alerts_product and idx_alerts_shown_store.
OTHERS = """
SELECT alert_id, alert_type, severity, status, message, opened_at, store.name AS store,
       product.name AS product
FROM (SELECT * FROM alerts
      WHERE {of} AND alert_id <> %(alert)s AND status IN ('open', 'acknowledged', 'snoozed')
        AND (%(stores)s::uuid[] IS NULL OR store_id = ANY (%(stores)s::uuid[]))
      ORDER BY priority DESC, money_at_stake DESC, alert_id LIMIT %(limit)s) AS other
JOIN stores AS store USING (store_id)
LEFT JOIN products AS product ON product.product_id = other.product_id
ORDER BY priority DESC, money_at_stake DESC, alert_id
"""
MOST_EVENTS, MOST_OTHERS = 200, 6


def alert(alert_id: UUID, stores: list[UUID] | None) -> Row | None:
    """All of an alert, with names; None if it is not there or not in these stores."""
    return next(iter(rows(ALERT, {"alert": alert_id, "stores": stores})), None)


def events(alert_id: UUID) -> list[Row]:
    """Latest first."""
    return rows(EVENTS, {"alert": alert_id, "limit": MOST_EVENTS})


def others(found: Row, stores: list[UUID] | None) -> dict[str, list[Row]]:
    """Active alerts of the same product, and of the same store."""
    params: dict[str, Any] = {
        "alert": found["alert_id"],
        "store": found["store_id"],
        "product": found["product_id"],
        "stores": stores,
        "limit": MOST_OTHERS,
    }
    of_store = OTHERS.format(of="store_id = %(store)s AND hidden_by = ''")
    of_product = OTHERS.format(of="product_id = %(product)s")
    return {
        "product": rows(of_product, params) if found["product_id"] else [],
        "store": rows(of_store, params),
    }


# What an action of a person changed in one go: its events share a moment (idx_alert_events_at).
DONE = """
SELECT alert_id, version FROM alert_events
WHERE at = %(at)s AND actor_id = %(actor)s AND kind <> 'comment'
"""


def done_at(at: Any, actor: UUID) -> dict[UUID, int]:
    """The alerts of one action, with the version that it left."""
    return {done["alert_id"]: done["version"] for done in rows(DONE, {"at": at, "actor": actor})}


NAMES = """
SELECT alert_id, alert_type, store.name AS store, product.name AS product
FROM alerts JOIN stores AS store USING (store_id)
LEFT JOIN products AS product ON product.product_id = alerts.product_id
WHERE alert_id = ANY (%(alerts)s)
  AND (%(stores)s::uuid[] IS NULL OR store_id = ANY (%(stores)s::uuid[]))
"""


def names(ids: list[UUID], stores: list[UUID] | None) -> dict[UUID, Row]:
    """What alerts are about, by id, without what is not to be seen."""
    return {found["alert_id"]: found for found in rows(NAMES, {"alerts": ids, "stores": stores})}


# The units that a store took by business day, for an alert that is about no product.
TAKINGS = """
SELECT day.day::date AS business_date, coalesce(sum(revenue), 0) AS revenue
FROM generate_series(%(start)s::date, %(end)s::date, interval '1 day') AS day
LEFT JOIN daily_store_sales AS sales
       ON sales.business_date = day.day::date AND sales.store_id = %(store)s
      AND sales.day >= %(since)s AND sales.day < %(until)s
GROUP BY day.day ORDER BY day.day
"""


def takings(store: UUID, period: Any) -> list[Row]:
    """Revenue of a store on each day of the period; `day` excludes chunks."""
    return rows(TAKINGS, {**period.params(), "store": store})
