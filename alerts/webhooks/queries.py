"""Which events are due where. Each function works for the current customer."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from shelfops.reports.sql import Row, rows

EVENTS_A_DELIVERY = 100
# Of one customer in one round, so that a dead address holds nobody up.
DELIVERIES_A_ROUND = 20
# An event is stamped with the start of its transaction and is seen when that commits.
LONGEST_TRANSACTION = timedelta(hours=1)
# An attempt that was never recorded, since its process died, is made again after this.
IN_FLIGHT = timedelta(minutes=5)
KEPT = timedelta(days=30)

# Two collectors at once: one has the endpoint, the other goes on without it.
ENDPOINTS = """
SELECT endpoint_id, greatest(collected_until - %(longest)s, created_at) AS since
FROM webhook_endpoints WHERE is_active ORDER BY endpoint_id FOR UPDATE SKIP LOCKED
"""
# Reads idx_alert_events_at from `since` on; alerts, stores and products by their keys.
COLLECT = """
WITH fresh AS MATERIALIZED (
    SELECT event_id, alert_id, version, kind, from_status, to_status, source, actor, reason,
           note, figures, at,
           (row_number() OVER (ORDER BY at, version, event_id) - 1) / %(events)s AS batch
    FROM alert_events AS event
    WHERE at >= %(since)s AND kind <> 'comment'
      AND NOT EXISTS (SELECT FROM webhook_events AS done
                      WHERE done.endpoint_id = %(endpoint)s AND done.event_id = event.event_id)
),
batches AS MATERIALIZED (
    SELECT batch, gen_random_uuid() AS delivery_id FROM fresh GROUP BY batch
),
delivered AS (
    INSERT INTO webhook_deliveries (delivery_id, endpoint_id, events, body)
    SELECT delivery_id, %(endpoint)s, count(*), jsonb_build_object(
        'type', 'alert.events',
        'timestamp', now(),
        'data', jsonb_build_object('events', jsonb_agg(jsonb_build_object(
            'id', event_id, 'at', at, 'kind', event.kind,
            'from', nullif(from_status, ''), 'to', to_status,
            'source', source, 'actor', nullif(actor, ''),
            'reason', nullif(reason, ''), 'note', nullif(note, ''), 'figures', event.figures,
            'alert', jsonb_build_object(
                'id', alert.alert_id, 'version', event.version, 'type', alert_type,
                'severity', severity, 'hidden_by', nullif(hidden_by, ''), 'message', message,
                'money_at_stake', money_at_stake,
                'url', %(site)s::text || '/alerts/' || alert.alert_id || '/',
                'store', jsonb_build_object(
                    'id', store.store_id, 'code', code, 'name', store.name),
                'product', CASE WHEN product.product_id IS NOT NULL THEN jsonb_build_object(
                    'id', product.product_id, 'sku', sku, 'name', product.name) END)
        ) ORDER BY at, event.version, event_id)))::text
    FROM fresh AS event
    JOIN batches USING (batch)
    JOIN alerts AS alert USING (alert_id)
    JOIN stores AS store USING (store_id)
    LEFT JOIN products AS product ON product.product_id = alert.product_id
    GROUP BY delivery_id
)
INSERT INTO webhook_events (endpoint_id, event_id, delivery_id)
SELECT %(endpoint)s, event_id, delivery_id FROM fresh JOIN batches USING (batch)
"""
COLLECTED = """
UPDATE webhook_endpoints SET collected_until = now() WHERE endpoint_id = %(endpoint)s
"""
TEST = """
INSERT INTO webhook_deliveries (endpoint_id, events, body)
SELECT %(endpoint)s, 0, jsonb_build_object(
    'type', 'test', 'timestamp', now(), 'data', jsonb_build_object('events', '[]'::jsonb))::text
RETURNING delivery_id
"""
PRUNE = "DELETE FROM webhook_deliveries WHERE created_at < now() - %(kept)s"

CLAIM = """
UPDATE webhook_deliveries AS delivery
SET attempts = attempts + 1, attempted_at = now(), next_attempt_at = now() + %(in_flight)s
FROM webhook_endpoints AS endpoint
WHERE endpoint.endpoint_id = delivery.endpoint_id
  AND delivery_id IN (
    SELECT delivery_id FROM webhook_deliveries
    WHERE next_attempt_at <= now()
      AND endpoint_id IN (SELECT endpoint_id FROM webhook_endpoints WHERE is_active)
    ORDER BY next_attempt_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
RETURNING delivery_id, attempts, body, url, endpoint.endpoint_id,
          CASE WHEN previous_until > now() THEN ARRAY[salt, previous_salt] ELSE ARRAY[salt] END
              AS salts
"""
# Of an attempt that was claimed anew meanwhile, only the later one says what comes next.
RECORD = """
UPDATE webhook_deliveries
SET response_status = %(status)s, response_excerpt = %(excerpt)s, error = %(error)s,
    delivered_at = CASE WHEN %(accepted)s THEN now() END,
    next_attempt_at = CASE WHEN NOT %(accepted)s THEN now() + %(wait)s::interval END
WHERE delivery_id = %(delivery)s AND attempts = %(attempts)s
"""


def collect(site: str) -> int:
    """Make deliveries of the events that are new, and forget old ones; how many events."""
    collected = 0
    for endpoint in rows(ENDPOINTS, {"longest": LONGEST_TRANSACTION}):
        params = {
            "endpoint": endpoint["endpoint_id"],
            "since": endpoint["since"],
            "events": EVENTS_A_DELIVERY,
            "site": site,
        }
        collected += _changed(COLLECT, params)
        _changed(COLLECTED, params)
        _changed(PRUNE, {"kept": KEPT})
    return collected


def claim() -> list[Row]:
    """Take due deliveries; each counts as attempted, and is due again unless it is recorded."""
    return rows(CLAIM, {"in_flight": IN_FLIGHT, "limit": DELIVERIES_A_ROUND})


def record(delivery: UUID, attempts: int, wait: timedelta | None, **answer: Any) -> None:
    """Write down an attempt's answer; without `wait` there is no other attempt."""
    params = {"delivery": delivery, "attempts": attempts, "wait": wait, **answer}
    _changed(RECORD, params)


def _changed(statement: str, params: dict[str, Any]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return int(cursor.rowcount)


def send_test(endpoint: UUID) -> UUID:
    """A delivery without events, to try an address; its id."""
    [delivery] = rows(TEST, {"endpoint": endpoint})
    return UUID(str(delivery["delivery_id"]))
