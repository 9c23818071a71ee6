"""What a person may do with alerts, many at once: the table of transitions as functions.

Each takes the alerts as the person saw them (id and version) and says which it changed and
which it skipped, and why; nothing is overwritten that the person has not seen. The change and
its events are one statement. Evaluations follow the same table (migration 0003).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import connection
from django.utils import timezone

from alerts.models import AlertEvent, Resolution, Status
from shelfops.admin import store_ids
from shelfops.reports.sql import Row, rows
from shelfops.tenancy.models import User

PERMISSION = "alerts.work_alert"
# A snooze ends when its time comes or the alert gets worse, and never lasts longer than this.
LONGEST_SNOOZE = timedelta(days=90)
SNOOZES = {
    "4 hours": timedelta(hours=4),
    "1 day": timedelta(days=1),
    "3 days": timedelta(days=3),
    "1 week": timedelta(weeks=1),
    "2 weeks": timedelta(weeks=2),
    "4 weeks": timedelta(weeks=4),
}
# Until then a resolved alert comes back as itself; later a new one opens that refers to it.
REGRESSION = timedelta(days=7)

Seen = Mapping[UUID, int | None]


@dataclass(frozen=True)
class Skipped:
    """An alert that was left as it is, and a sentence that says why."""

    alert_id: UUID
    why: str


@dataclass(frozen=True)
class Outcome:
    done: list[UUID]
    skipped: list[Skipped]


@dataclass(frozen=True)
class Action:
    """`refusals` are WHEN clauses over `alert` that give a code of WHY; `changes` is a SET list."""

    kind: str
    refusals: str
    changes: str


# The first lock keeps an evaluation from writing between the statements, and not other people;
# the second, always in one order, keeps two people apart.
LOCK = "SELECT take_turn('alerts', shared => true)"
LOCK_ROWS = """
SELECT alert_id FROM alerts WHERE alert_id = ANY (%(alerts)s) ORDER BY alert_id FOR UPDATE
"""

# By the keys of the alerts; the event that made the version is found by idx_alert_events_version.
ACT = """
WITH asked AS (
    SELECT DISTINCT ON (alert_id) alert_id, seen
    FROM unnest(%(alerts)s::uuid[], %(seen)s::integer[]) AS asked (alert_id, seen)
),
judged AS MATERIALIZED (
    SELECT asked.alert_id, alert.status, latest.kind, latest.actor, latest.actor_id, latest.at,
           latest.before AS undo,
           jsonb_build_object(
               'status', alert.status, 'owner_id', alert.owner_id,
               'acknowledged_at', alert.acknowledged_at, 'snoozed_until', alert.snoozed_until,
               'snoozed_grade', alert.snoozed_grade, 'resolved_at', alert.resolved_at,
               'resolution', alert.resolution, 'opened_at', alert.opened_at) AS before,
           CASE WHEN alert.alert_id IS NULL THEN 'gone'
                WHEN alert.version <> asked.seen THEN 'changed'
                {refusals}
           END AS problem
    FROM asked
    LEFT JOIN alerts AS alert
           ON alert.alert_id = asked.alert_id
          AND (%(stores)s::uuid[] IS NULL OR alert.store_id = ANY (%(stores)s::uuid[]))
    LEFT JOIN alert_events AS latest
           ON latest.alert_id = alert.alert_id AND latest.version = alert.version
          AND latest.kind <> 'comment'
),
changed AS (
    UPDATE alerts AS alert
    SET {changes}, version = alert.version + 1, updated_at = %(at)s
    FROM judged
    WHERE alert.alert_id = judged.alert_id AND judged.problem IS NULL
    RETURNING alert.alert_id, alert.version, alert.status, alert.figures,
              judged.status AS from_status, judged.before
),
logged AS (
    INSERT INTO alert_events (alert_id, version, kind, from_status, to_status, source,
                              actor_id, actor, reason, note, figures, before, at)
    SELECT alert_id, version, %(kind)s, from_status, status, 'person',
           %(actor_id)s, %(actor)s, %(reason)s, %(note)s, figures, before, %(at)s
    FROM changed
)
SELECT alert_id, problem, status, kind, actor, at FROM judged
"""

# What is active on the same condition keeps the key.
TAKEN = """EXISTS (
    SELECT FROM alerts AS other
    WHERE other.store_id = alert.store_id
      AND other.product_id IS NOT DISTINCT FROM alert.product_id
      AND other.alert_type = alert.alert_type
      AND other.status IN ('open', 'acknowledged', 'snoozed')
      AND other.alert_id <> alert.alert_id)"""
AWAKE = "snoozed_until = NULL, snoozed_grade = NULL"
UNRESOLVED = "resolved_at = NULL, resolution = ''"

ACKNOWLEDGE = Action(
    "acknowledged",
    "WHEN alert.status <> 'open' THEN 'status'",
    "status = 'acknowledged', owner_id = %(owner)s, acknowledged_at = %(at)s",
)
ASSIGN = Action(
    "assigned",
    """
    WHEN alert.status = 'resolved' THEN 'status'
    WHEN alert.owner_id IS NOT DISTINCT FROM %(owner)s THEN 'same owner'
    WHEN alert.store_id <> ALL (%(owner_stores)s::uuid[]) THEN 'not the owner''s store'
    """,
    "owner_id = %(owner)s",
)
SNOOZE = Action(
    "snoozed",
    "WHEN alert.status = 'resolved' THEN 'status'",
    "status = 'snoozed', snoozed_until = %(until)s, snoozed_grade = alert.grade",
)
UNSNOOZE = Action(
    "woken", "WHEN alert.status <> 'snoozed' THEN 'status'", f"status = 'open', {AWAKE}"
)
RESOLVE = Action(
    "resolved",
    """
    WHEN alert.status = 'resolved' THEN 'status'
    WHEN alert.clear_count = 0 AND NOT %(although_it_holds)s THEN 'holds'
    """,
    f"status = 'resolved', resolved_at = %(at)s, resolution = %(reason)s, hidden_by = '', {AWAKE}",
)
REOPEN = Action(
    "reopened",
    f"""
    WHEN alert.status <> 'resolved' THEN 'status'
    WHEN alert.resolved_at < %(at)s - %(regression)s THEN 'old'
    WHEN {TAKEN} THEN 'taken'
    """,
    f"status = 'open', opened_at = %(at)s, clear_count = 0, {UNRESOLVED}",
)
# Back to what the person's action found; a snooze whose time has come since is over.
UNDO = Action(
    "undone",
    f"""
    WHEN latest.actor_id IS DISTINCT FROM %(actor_id)s
      OR latest.kind NOT IN ('acknowledged', 'assigned', 'snoozed', 'woken', 'resolved', 'reopened')
        THEN 'not yours'
    WHEN alert.status = 'resolved' AND alert.resolved_at < %(at)s - %(regression)s THEN 'old'
    WHEN alert.status = 'resolved' AND {TAKEN} THEN 'taken'
    """,
    """
    (status, owner_id, acknowledged_at, snoozed_until, snoozed_grade, resolved_at, resolution,
     opened_at) = (
        SELECT CASE WHEN elapsed THEN 'open' ELSE past.status END, past.owner_id,
               past.acknowledged_at, CASE WHEN NOT elapsed THEN past.snoozed_until END,
               CASE WHEN NOT elapsed THEN past.snoozed_grade END, past.resolved_at,
               past.resolution, past.opened_at
        FROM jsonb_to_record(judged.undo) AS past (
                 status text, owner_id uuid, acknowledged_at timestamptz,
                 snoozed_until timestamptz, snoozed_grade smallint, resolved_at timestamptz,
                 resolution text, opened_at timestamptz),
             coalesce(past.snoozed_until <= %(at)s, false) AS elapsed)
    """,
)

COMMENT = """
INSERT INTO alert_events (alert_id, version, kind, from_status, to_status, source,
                          actor_id, actor, note, figures, at)
SELECT alert_id, version, 'comment', status, status, 'person',
       %(actor_id)s, %(actor)s, %(note)s, figures, %(at)s
FROM alerts
WHERE alert_id = %(alert)s
  AND (%(stores)s::uuid[] IS NULL OR store_id = ANY (%(stores)s::uuid[]))
"""


def acknowledge(user: User, seen: Seen, *, at: datetime | None = None) -> Outcome:
    """Take open alerts: `user` owns them, and nobody else is notified of them any more."""
    return act(ACKNOWLEDGE, user, seen, at, owner=_as_owner(user))


def assign(user: User, seen: Seen, owner: User | None, *, at: datetime | None = None) -> Outcome:
    """Give active alerts to `owner`, who works in their stores, or to nobody."""
    stores = store_ids(owner) if owner else None
    return act(ASSIGN, user, seen, at, owner=_as_owner(owner), owner_stores=stores)


def snooze(
    user: User, seen: Seen, until: datetime | None, *, at: datetime | None = None
) -> Outcome:
    """Hide active alerts until then, or with None until they get worse; worse always ends it.

    ValueError if `until` is past, or more than LONGEST_SNOOZE away.
    """
    at = at or timezone.now()
    latest = at + LONGEST_SNOOZE
    if until and not at < until <= latest:
        raise ValueError("A snooze ends in the future, at most 90 days from now.")
    reason = "" if until else "until_worse"
    return act(SNOOZE, user, seen, at, until=until or latest, reason=reason)


def unsnooze(user: User, seen: Seen, *, at: datetime | None = None) -> Outcome:
    """End snoozes now."""
    return act(UNSNOOZE, user, seen, at)


def resolve(
    user: User,
    seen: Seen,
    resolution: str,
    note: str = "",
    *,
    although_it_holds: bool = False,
    at: datetime | None = None,
) -> Outcome:
    """Resolve active alerts for a person's reason; those that still hold only if told so.

    One whose condition still holds at the next evaluation comes back, as regressed.
    """
    if resolution not in Resolution.values or resolution == Resolution.CLEAR:
        raise ValueError(f"{resolution} is no person's reason.")
    told = {"reason": resolution, "note": note, "although_it_holds": although_it_holds}
    return act(RESOLVE, user, seen, at, **told)


def reopen(user: User, seen: Seen, note: str = "", *, at: datetime | None = None) -> Outcome:
    """Open what was resolved in the last 7 days, unless the condition has a newer alert."""
    return act(REOPEN, user, seen, at, note=note, regression=REGRESSION)


def undo(user: User, seen: Seen, *, at: datetime | None = None) -> Outcome:
    """Take back the last action on each alert, if it was this user's and nothing came after."""
    return act(UNDO, user, seen, at, regression=REGRESSION)


def comment(user: User, alert_id: UUID, text: str, *, at: datetime | None = None) -> bool:
    """Add to what is said about an alert, whatever its version; False if it is not there."""
    params = {**_actor(user), "alert": alert_id, "note": text, "at": at or timezone.now()}
    with connection.cursor() as cursor:
        cursor.execute(COMMENT, params)
        return bool(cursor.rowcount)


def act(
    action: Action, user: User, seen: Seen, at: datetime | None = None, **params: Any
) -> Outcome:
    """Do `action` to the alerts that are as they were seen and allow it, and say which."""
    values = {
        "reason": "",
        "note": "",
        **_actor(user),
        "alerts": list(seen),
        "seen": list(seen.values()),
        "kind": action.kind,
        "at": at or timezone.now(),
        **params,
    }
    with connection.cursor() as cursor:
        cursor.execute(LOCK)
        cursor.execute(LOCK_ROWS, values)
    statement = ACT.format(refusals=action.refusals, changes=action.changes)
    judged = rows(statement, values)
    done = [row["alert_id"] for row in judged if row["problem"] is None]
    skipped = [Skipped(row["alert_id"], why(row)) for row in judged if row["problem"]]
    return Outcome(done, skipped)


def _actor(user: User) -> dict[str, Any]:
    """Who acts, and in which stores; fails closed for who may not."""
    if not user.has_perm(PERMISSION):
        raise PermissionDenied
    return {"actor_id": user.pk, "actor": str(user), "stores": store_ids(user)}


def _as_owner(user: User | None) -> UUID | None:
    """A platform operator who acts as a customer cannot own what is the customer's."""
    return user.pk if user and not user.is_operator else None


WHY = {
    "gone": "It does not exist, or not in your stores.",
    "changed": "Since you looked: {happened}.",
    "status": "It is {status} already: {happened}.",
    "same owner": "It has this owner already.",
    "not the owner's store": "Its new owner does not work in this store.",
    "holds": "It still holds, and would come back at the next evaluation.",
    "old": "It was resolved more than 7 days ago. If it holds, a new alert opens by itself.",
    "taken": "A newer alert is active for the same condition.",
    "not yours": "The last change was not an action of yours: {happened}.",
}


def why(judged: Row) -> str:
    """The sentence for a skipped alert."""
    status = Status(judged["status"]).label.lower() if judged["status"] else ""
    return WHY[judged["problem"]].format(status=status, happened=_happened(judged))


def _happened(judged: Row) -> str:
    if not judged["kind"]:
        return "nothing is recorded"
    kind = AlertEvent.Kind(judged["kind"]).label.lower()
    return f"{kind} by {judged['actor'] or 'the system'}, {judged['at']:%-d %b %H:%M} UTC"
