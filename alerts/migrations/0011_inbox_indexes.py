"""Indexes of the inbox: its orders, of all stores and of some, without what is hidden."""

from django.db import migrations
from django.db.migrations import RunSQL

# A feed gap may hide most alerts of a customer: idx_alerts_inbox had these in the way.
INDEXES = """
DROP INDEX IF EXISTS idx_alerts_inbox;
CREATE INDEX IF NOT EXISTS idx_alerts_shown
    ON alerts (customer_id, status, priority DESC, money_at_stake DESC, alert_id)
    WHERE hidden_by = '';
CREATE INDEX IF NOT EXISTS idx_alerts_shown_store
    ON alerts (customer_id, store_id, status, priority DESC, money_at_stake DESC, alert_id)
    WHERE hidden_by = '';
CREATE INDEX IF NOT EXISTS idx_alerts_shown_opened
    ON alerts (customer_id, status, opened_at, alert_id) WHERE hidden_by = '';
CREATE INDEX IF NOT EXISTS idx_alerts_resolved_at
    ON alerts (customer_id, resolved_at DESC, alert_id) WHERE status = 'resolved';
CREATE INDEX IF NOT EXISTS idx_alerts_hidden
    ON alerts (customer_id, store_id) WHERE hidden_by <> '';
"""
DROP_INDEXES = """
DROP INDEX IF EXISTS idx_alerts_hidden;
DROP INDEX IF EXISTS idx_alerts_resolved_at;
DROP INDEX IF EXISTS idx_alerts_shown_opened;
DROP INDEX IF EXISTS idx_alerts_shown_store;
DROP INDEX IF EXISTS idx_alerts_shown;
CREATE INDEX IF NOT EXISTS idx_alerts_inbox
    ON alerts (customer_id, status, priority DESC, money_at_stake DESC, alert_id);
"""


class Migration(migrations.Migration):
    dependencies = [("alerts", "0010_webhooks")]

    operations = [RunSQL(INDEXES, DROP_INDEXES)]
