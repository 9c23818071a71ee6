"""Failed log-ins are counted, so that guessing passwords is slow; log-ins are kept on record."""

import uuid

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models
from django.db.migrations import RunSQL

from shelfops.tenancy.operations import OWN_ROWS, tenant_table

# Counted before anybody is known, so the counts belong to no customer: they stand where the
# application has no rights, under keys that only who knows SECRET_KEY can work out. `key` is
# what an attempt comes from (a person's device, or a name and an address) or a name alone.
FAILURES = """
CREATE TABLE IF NOT EXISTS timeseries.login_failures (
    key          bytea PRIMARY KEY CHECK (octet_length(key) = 32),
    failures     integer NOT NULL CHECK (failures > 0),
    waits_until  timestamptz NOT NULL,
    forgotten_at timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS idx_login_failures_forgotten_at
    ON timeseries.login_failures (forgotten_at);
REVOKE ALL ON timeseries.login_failures FROM PUBLIC, shelfops_app, shelfops_operator;
"""

# An attempt counts as failed until login_succeeded() takes it back: of two at the same time the
# second waits for the first, so that no number of them together has more tries. The first five
# failures are free, then the wait doubles from a minute to an hour; a day without a failure is
# forgotten. A name that has had 50 failures from unknown devices within an hour leaves such a
# device one try an hour from each address: guessing from many addresses is slow too, and a person
# is never locked out by others. A known device asks without the name, and is spared by that.
FUNCTIONS = """
CREATE OR REPLACE FUNCTION public.login_attempt(source bytea, name bytea) RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    at timestamptz := clock_timestamp();
    is_attacked boolean := EXISTS (
        SELECT FROM timeseries.login_failures AS f
        WHERE f.key = login_attempt.name AND f.failures >= 50 AND f.forgotten_at > at);
    waits interval[] := array_fill(INTERVAL '0', ARRAY[4]) || ARRAY[
        INTERVAL '1 min', INTERVAL '2 min', INTERVAL '4 min', INTERVAL '8 min',
        INTERVAL '16 min', INTERVAL '32 min', INTERVAL '1 hour'];
    longest integer := array_length(waits, 1);
    allowed boolean;
BEGIN
    DELETE FROM timeseries.login_failures AS f WHERE f.key IN (
        SELECT old.key FROM timeseries.login_failures AS old WHERE old.forgotten_at < at
        ORDER BY old.forgotten_at LIMIT 20 FOR UPDATE SKIP LOCKED);
    INSERT INTO timeseries.login_failures AS f (key, failures, waits_until, forgotten_at)
    VALUES (source, 1, at + CASE WHEN is_attacked THEN INTERVAL '1 hour' ELSE waits[1] END,
            at + INTERVAL '1 day')
    ON CONFLICT (key) DO UPDATE
    SET failures = least(f.failures + 1, longest), forgotten_at = EXCLUDED.forgotten_at,
        waits_until = clock_timestamp() + CASE WHEN is_attacked THEN INTERVAL '1 hour'
                                               ELSE waits[least(f.failures + 1, longest)] END
    WHERE f.waits_until <= clock_timestamp()
    RETURNING true INTO allowed;
    IF allowed THEN
        RETURN 0;
    END IF;
    RETURN (SELECT greatest(1, ceil(extract(epoch FROM f.waits_until - clock_timestamp())))
            FROM timeseries.login_failures AS f WHERE f.key = source);
END $$;

CREATE OR REPLACE FUNCTION public.login_succeeded(source bytea) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM timeseries.login_failures AS f WHERE f.key = source;
$$;

-- The failures of this hour, this one included.
CREATE OR REPLACE FUNCTION public.login_failed(name bytea) RETURNS integer
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO timeseries.login_failures AS f (key, failures, waits_until, forgotten_at)
    VALUES (name, 1, now(), now() + INTERVAL '1 hour')
    ON CONFLICT (key) DO UPDATE
    SET failures = CASE WHEN f.forgotten_at < now() THEN 1 ELSE least(f.failures, 1000000) + 1 END,
        forgotten_at = CASE WHEN f.forgotten_at < now() THEN EXCLUDED.forgotten_at
                            ELSE f.forgotten_at END
    RETURNING failures;
$$;
REVOKE ALL ON FUNCTION public.login_attempt(bytea, bytea), public.login_succeeded(bytea),
    public.login_failed(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.login_attempt(bytea, bytea), public.login_succeeded(bytea),
    public.login_failed(bytea) TO shelfops_app;
"""
DROP_FUNCTIONS = """
DROP FUNCTION IF EXISTS public.login_failed(bytea);
DROP FUNCTION IF EXISTS public.login_succeeded(bytea);
DROP FUNCTION IF EXISTS public.login_attempt(bytea, bytea);
"""

# An operator's log-ins are of no customer, and their own to see.
LOG_INS = """
CREATE TABLE IF NOT EXISTS log_ins (
    log_in_id   uuid NOT NULL DEFAULT gen_random_uuid(),
    customer_id uuid REFERENCES customers,
    user_id     uuid NOT NULL,
    outcome     varchar(8) NOT NULL CHECK (outcome IN ('in', 'failed')),
    address     inet,
    is_known    boolean NOT NULL,
    at          timestamptz NOT NULL DEFAULT now(),
    UNIQUE (customer_id, log_in_id),
    FOREIGN KEY (customer_id, user_id) REFERENCES users (customer_id, user_id)
);
CREATE INDEX IF NOT EXISTS idx_log_ins_at ON log_ins (customer_id, at DESC);
"""
OWN_LOG = f"{OWN_ROWS} OR (customer_id IS NULL AND user_id = (SELECT current_user_id()))"

# They are kept for 180 days. The owner sees those that go and no others.
PURGE = """
DROP POLICY IF EXISTS log_ins_old ON log_ins;
CREATE POLICY log_ins_old ON log_ins TO shelfops_owner
    USING (at < now() - INTERVAL '180 days');

CREATE OR REPLACE PROCEDURE timeseries.purge_log_ins(
    job_id integer DEFAULT NULL, config jsonb DEFAULT NULL)
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM public.log_ins WHERE at < now() - INTERVAL '180 days';
    DELETE FROM timeseries.login_failures WHERE forgotten_at < now();
$$;
REVOKE ALL ON PROCEDURE timeseries.purge_log_ins(integer, jsonb) FROM PUBLIC;

SELECT add_job('timeseries.purge_log_ins', INTERVAL '1 hour')
WHERE NOT EXISTS (SELECT FROM timescaledb_information.jobs
                  WHERE proc_schema = 'timeseries' AND proc_name = 'purge_log_ins');
"""
NO_PURGE = """
SELECT delete_job(job_id) FROM timescaledb_information.jobs
WHERE proc_schema = 'timeseries' AND proc_name = 'purge_log_ins';
DROP PROCEDURE IF EXISTS timeseries.purge_log_ins(integer, jsonb);
DROP POLICY IF EXISTS log_ins_old ON log_ins;
"""


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0003_customers_overview")]

    operations = [
        RunSQL(FAILURES, "DROP TABLE IF EXISTS timeseries.login_failures;"),
        RunSQL(FUNCTIONS, DROP_FUNCTIONS),
        RunSQL(LOG_INS, "DROP TABLE IF EXISTS log_ins;"),
        tenant_table("log_ins", "SELECT, INSERT", OWN_LOG),
        RunSQL(PURGE, NO_PURGE),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name="LogIn",
                    fields=[
                        (
                            "log_in_id",
                            models.UUIDField(
                                default=uuid.uuid4,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        (
                            "outcome",
                            models.CharField(
                                choices=[("in", "Logged in"), ("failed", "Failed")],
                                max_length=8,
                            ),
                        ),
                        ("address", models.GenericIPAddressField(null=True)),
                        ("is_known", models.BooleanField(verbose_name="known device")),
                        (
                            "at",
                            models.DateTimeField(
                                default=django.utils.timezone.now, verbose_name="when"
                            ),
                        ),
                        (
                            "customer",
                            models.ForeignKey(
                                editable=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="tenancy.customer",
                            ),
                        ),
                        (
                            "user",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={"db_table": "log_ins", "ordering": ["-at"], "verbose_name": "log-in"},
                ),
            ]
        ),
    ]
