"""Who is told of what, and the mails that are due. Each works for the current customer."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from shelfops.admin import store_ids
from shelfops.reports.sql import Row, rows
from shelfops.tenancy.models import User

# An event is stamped with the start of its transaction and is seen when that commits.
LONGEST_TRANSACTION = timedelta(hours=1)
KEPT = timedelta(days=30)
MAILS_A_ROUND = 50
# A mail that was taken and never recorded, since its process died, is sent again after this.
IN_FLIGHT = timedelta(minutes=10)
MOST_COUNTED = 99
PAGE = 50

# One collector at a time; another one goes on without waiting.
BEGIN = """
INSERT INTO notification_progress (collected_until) VALUES (%(now)s - INTERVAL '1 day')
ON CONFLICT DO NOTHING
"""
PROGRESS = """
SELECT collected_until - %(longest)s AS since FROM notification_progress
FOR UPDATE SKIP LOCKED
"""
# News of an alert is that it opened, came back, got worse, or is no longer hidden; of an alert
# that somebody has taken there is none. Told are the roles that its rule names, in their own
# stores, without what they have muted. Who is given an alert by somebody else is told of that.
# Reads idx_alert_events_at from `since` on; alerts by their keys.
COLLECT = """
WITH fresh AS (
    SELECT DISTINCT ON (alert_id, kind = 'assigned') event_id, alert_id, kind, actor_id
    FROM alert_events
    WHERE at >= %(since)s
      AND (kind IN ('opened', 'regressed', 'worse', 'shown', 'assigned')
           OR (kind = 'woken' AND reason = 'worse'))
    ORDER BY alert_id, kind = 'assigned', version DESC
),
news AS (
    SELECT event_id, alert_id, kind, actor_id, store_id, alert_type, severity, opened_at,
           owner_id, status, coalesce(rule -> 'told', '["manager", "staff"]') AS told
    FROM fresh JOIN alerts USING (alert_id)
    WHERE hidden_by = '' AND status <> 'resolved'
),
people AS (
    SELECT user_id, role, coalesce(mails_at_once, true) AS at_once,
           coalesce(mails_digest, true) AS digest,
           coalesce(muted_types, '{}') AS muted_types,
           coalesce(muted_stores, '{}') AS muted_stores
    FROM users LEFT JOIN notification_settings USING (user_id)
    WHERE users.customer_id = (SELECT current_customer_id()) AND is_active
      AND role IN ('admin', 'manager', 'staff')
)
INSERT INTO notifications (user_id, alert_id, event_id, store_id, kind, channel, created_at)
SELECT user_id, alert_id, event_id, store_id, kind,
       CASE WHEN kind = 'assigned' OR NOT %(mails)s THEN ''
            WHEN severity = 'critical' AND at_once THEN 'now'
            WHEN digest THEN 'digest' ELSE '' END,
       %(now)s
FROM news JOIN people
  ON CASE WHEN kind = 'assigned' THEN user_id = owner_id AND actor_id <> user_id
          ELSE status = 'open' AND told ? role
               AND alert_type <> ALL (muted_types) AND store_id <> ALL (muted_stores) END
WHERE (role = 'admin' OR EXISTS (SELECT FROM store_assignments AS works
                                 WHERE works.user_id = people.user_id
                                   AND works.store_id = news.store_id))
  AND (kind <> 'shown' OR NOT EXISTS (
        SELECT FROM notifications AS told_before
        WHERE told_before.user_id = people.user_id AND told_before.alert_id = news.alert_id
          AND told_before.created_at >= news.opened_at))
ON CONFLICT ON CONSTRAINT notifications_event_key DO NOTHING
"""
COLLECTED = "UPDATE notification_progress SET collected_until = %(now)s"

# All that is to be told to a person at once is one mail.
QUEUE_NOW = """
WITH people AS (
    SELECT user_id, gen_random_uuid() AS mail_id
    FROM (SELECT DISTINCT user_id FROM notifications
          WHERE channel = 'now' AND mail_id IS NULL) AS unmailed
),
queued AS (
    INSERT INTO notification_mails (mail_id, user_id, kind, next_attempt_at, created_at)
    SELECT mail_id, user_id, 'now', %(now)s, %(now)s FROM people
)
UPDATE notifications SET mail_id = people.mail_id
FROM people
WHERE notifications.user_id = people.user_id AND channel = 'now'
  AND notifications.mail_id IS NULL
"""
# A digest is due from the person's hour on, once on each day of their time zone: the one they
# chose, or that of most of their stores.
QUEUE_DIGESTS = """
WITH people AS (
    SELECT user_id, zone, coalesce(digest_hour, 7) AS hour,
           %(now)s::timestamptz AT TIME ZONE zone AS local
    FROM (SELECT DISTINCT user_id FROM notifications
          WHERE channel = 'digest' AND mail_id IS NULL) AS unmailed
    JOIN users USING (user_id)
    LEFT JOIN notification_settings USING (user_id)
    CROSS JOIN LATERAL (
        SELECT coalesce(nullif(notification_settings.time_zone, ''), (
            SELECT stores.time_zone FROM stores
            WHERE role = 'admin' OR EXISTS (
                SELECT FROM store_assignments AS works
                WHERE works.user_id = users.user_id AND works.store_id = stores.store_id)
            GROUP BY stores.time_zone ORDER BY count(*) DESC, stores.time_zone LIMIT 1), 'UTC')
        AS zone) AS zones
),
queued AS (
    INSERT INTO notification_mails (user_id, kind, digest_day, next_attempt_at, created_at)
    SELECT user_id, 'digest', local::date, %(now)s, %(now)s
    FROM people WHERE extract(hour FROM local) >= hour
    ON CONFLICT ON CONSTRAINT notification_mails_one_digest DO NOTHING
    RETURNING mail_id, user_id
)
UPDATE notifications SET mail_id = queued.mail_id
FROM queued
WHERE notifications.user_id = queued.user_id AND channel = 'digest'
  AND notifications.mail_id IS NULL
"""
PRUNE = (
    "DELETE FROM notifications WHERE created_at < %(now)s - %(kept)s",
    """
    DELETE FROM notification_mails AS mail
    WHERE created_at < %(now)s - %(kept)s
      AND NOT EXISTS (SELECT FROM notifications WHERE notifications.mail_id = mail.mail_id)
    """,
)

CLAIM = """
UPDATE notification_mails AS mail
SET attempts = attempts + 1, next_attempt_at = %(now)s + %(in_flight)s
FROM users
WHERE users.user_id = mail.user_id
  AND mail_id IN (SELECT mail_id FROM notification_mails WHERE next_attempt_at <= %(now)s
                  ORDER BY next_attempt_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
RETURNING mail_id, kind, attempts, users.user_id, users.name, users.email
"""
# What a mail still has to say when it is sent: people leave and change stores, alerts are taken
# and resolved. Latest event of each alert, the worst first.
CONTENT = """
SELECT DISTINCT ON (mail_id, priority, money_at_stake, alert_id)
       mail_id, alert_id, notice.kind, alert_type, severity, message, money_at_stake,
       store.name AS store, product.name AS product, sku
FROM notifications AS notice
JOIN alerts AS alert USING (alert_id)
JOIN stores AS store ON store.store_id = alert.store_id
JOIN users USING (user_id)
LEFT JOIN products AS product ON product.product_id = alert.product_id
LEFT JOIN notification_settings AS wishes ON wishes.user_id = notice.user_id
WHERE mail_id = ANY (%(mails)s) AND status = 'open' AND hidden_by = '' AND users.is_active
  AND role IN ('admin', 'manager', 'staff')
  AND (role = 'admin' OR EXISTS (SELECT FROM store_assignments AS works
                                 WHERE works.user_id = notice.user_id
                                   AND works.store_id = alert.store_id))
  AND alert_type <> ALL (coalesce(muted_types, '{}'))
  AND alert.store_id <> ALL (coalesce(muted_stores, '{}'))
  AND CASE channel WHEN 'now' THEN coalesce(mails_at_once, true)
                   ELSE coalesce(mails_digest, true) END
ORDER BY mail_id, priority DESC, money_at_stake DESC, alert_id, notice.created_at DESC
"""
RECORD = """
UPDATE notification_mails
SET sent_at = CASE WHEN %(sent)s THEN now() END, error = %(error)s,
    next_attempt_at = %(now)s + %(wait)s::interval,
    attempts = attempts - CASE WHEN %(counts)s THEN 0 ELSE 1 END
WHERE mail_id = %(mail)s AND attempts = %(attempts)s
"""


def collect(now: datetime, *, mails: bool) -> int:
    """Tell people of what is new, in the product and as mails to be sent; how many notices."""
    params: dict[str, Any] = {"now": now, "mails": mails, "longest": LONGEST_TRANSACTION}
    _change(BEGIN, params)
    mine = rows(PROGRESS, params)
    if not mine:
        return 0
    told = _change(COLLECT, {**params, "since": mine[0]["since"]})
    _change(COLLECTED, params)
    if mails:
        _change(QUEUE_NOW, params)
        _change(QUEUE_DIGESTS, params)
    for statement in PRUNE:
        _change(statement, {"now": now, "kept": KEPT})
    return told


def claim(now: datetime) -> list[Row]:
    """Take mails that are due, each with its `alerts`."""
    params = {"now": now, "in_flight": IN_FLIGHT, "limit": MAILS_A_ROUND}
    mails = rows(CLAIM, params)
    content = rows(CONTENT, {"mails": [mail["mail_id"] for mail in mails]}) if mails else []
    for mail in mails:
        mail["alerts"] = [line for line in content if line["mail_id"] == mail["mail_id"]]
    return mails


def record(
    mail: Row,
    now: datetime,
    *,
    sent: bool,
    error: str = "",
    wait: timedelta | None = None,
    counts: bool = True,
) -> None:
    """Write down what became of a mail; with `wait`, from `now` on, it is tried again."""
    what = {"mail": mail["mail_id"], "attempts": mail["attempts"], "error": error[:500]}
    _change(RECORD, {**what, "now": now, "sent": sent, "wait": wait, "counts": counts})


# A hundred rows at most, by idx_notifications_unread.
UNREAD = """
SELECT true AS unread FROM notifications
WHERE user_id = %(user)s AND read_at IS NULL
  AND (%(stores)s::uuid[] IS NULL OR store_id = ANY (%(stores)s::uuid[]))
LIMIT %(most)s
"""
# By idx_notifications_user.
LATEST = """
SELECT notification_id, notice.kind, notice.created_at, read_at, alert_id, alert_type, severity,
       message, status, store.name AS store, product.name AS product
FROM (SELECT * FROM notifications
      WHERE user_id = %(user)s
        AND (%(stores)s::uuid[] IS NULL OR store_id = ANY (%(stores)s::uuid[]))
      ORDER BY created_at DESC LIMIT %(limit)s) AS notice
JOIN alerts AS alert USING (alert_id)
JOIN stores AS store ON store.store_id = alert.store_id
LEFT JOIN products AS product ON product.product_id = alert.product_id
ORDER BY notice.created_at DESC, priority DESC, money_at_stake DESC, alert_id
"""
READ = """
UPDATE notifications SET read_at = now()
WHERE user_id = %(user)s AND read_at IS NULL
  AND (%(notification)s::uuid IS NULL OR notification_id = %(notification)s::uuid)
"""
ALERT_OF = """
SELECT alert_id FROM notifications
WHERE notification_id = %(notification)s AND user_id = %(user)s
  AND (%(stores)s::uuid[] IS NULL OR store_id = ANY (%(stores)s::uuid[]))
"""


def unread(user: User) -> int:
    """How many, up to one more than MOST_COUNTED."""
    params = {"user": user.pk, "stores": store_ids(user), "most": MOST_COUNTED + 1}
    return len(rows(UNREAD, params))


def latest(user: User) -> list[Row]:
    return rows(LATEST, {"user": user.pk, "stores": store_ids(user), "limit": PAGE})


def read(user: User, notification: UUID | None = None) -> int:
    """Mark one as read, or all of the user's; how many were not."""
    return _change(READ, {"user": user.pk, "notification": notification})


def alert_of(user: User, notification: UUID) -> UUID | None:
    params = {"user": user.pk, "notification": notification, "stores": store_ids(user)}
    return next((found["alert_id"] for found in rows(ALERT_OF, params)), None)


def _change(statement: str, params: dict[str, Any]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return int(cursor.rowcount)
