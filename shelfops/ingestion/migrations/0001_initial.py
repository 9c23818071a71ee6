"""Import batches, refused rows, and the requests to refresh what an import touched."""

import uuid

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models
from django.db.migrations import RunSQL

import shelfops.tenancy.context
from shelfops.tenancy.operations import tenant_table

IMPORT_BATCHES = """
CREATE TABLE IF NOT EXISTS import_batches (
    batch_id      uuid NOT NULL DEFAULT gen_random_uuid(),
    customer_id   uuid NOT NULL DEFAULT current_customer_id() REFERENCES customers,
    kind          varchar(32) NOT NULL,
    source        varchar(255) NOT NULL,
    source_hash   varchar(64) NOT NULL,
    imported_by   varchar(254) NOT NULL,
    status        varchar(16) NOT NULL DEFAULT 'running'
                  CHECK (status IN ('running', 'done', 'failed')),
    rows_read     bigint NOT NULL DEFAULT 0,
    rows_inserted bigint NOT NULL DEFAULT 0 CHECK (rows_inserted >= 0),
    rows_present  bigint NOT NULL DEFAULT 0 CHECK (rows_present >= 0),
    rows_refused  bigint NOT NULL DEFAULT 0 CHECK (rows_refused >= 0),
    error         text NOT NULL DEFAULT '',
    metadata      jsonb NOT NULL DEFAULT '{}',
    started_at    timestamptz NOT NULL DEFAULT now(),
    finished_at   timestamptz,
    PRIMARY KEY (customer_id, batch_id),
    CHECK (rows_read = rows_inserted + rows_present + rows_refused),
    CHECK ((status = 'running') = (finished_at IS NULL))
);
CREATE INDEX IF NOT EXISTS idx_import_batches_started
    ON import_batches (customer_id, started_at DESC);
"""

# A refused row is known by its file and line, so importing a file again does not repeat it.
REFUSED_ROWS = """
CREATE TABLE IF NOT EXISTS refused_rows (
    refused_row_id uuid NOT NULL DEFAULT gen_random_uuid(),
    customer_id    uuid NOT NULL DEFAULT current_customer_id(),
    batch_id       uuid NOT NULL,
    kind           varchar(32) NOT NULL,
    source_hash    varchar(64) NOT NULL,
    line_number    bigint NOT NULL,
    field          varchar(64) NOT NULL,
    reason         varchar(255) NOT NULL,
    content        jsonb NOT NULL,
    PRIMARY KEY (customer_id, refused_row_id),
    CONSTRAINT refused_rows_line_key UNIQUE (customer_id, kind, source_hash, line_number),
    FOREIGN KEY (customer_id, batch_id) REFERENCES import_batches
);
CREATE INDEX IF NOT EXISTS idx_refused_rows_batch
    ON refused_rows (customer_id, batch_id, line_number);
"""

# Only the owner may refresh an aggregate, and only outside a transaction. So an import writes
# down which UTC days it touched, in its own transaction, and the owner's job works them off.
REFRESH_REQUESTS = """
CREATE TABLE IF NOT EXISTS timeseries.refresh_requests (
    request_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    days         tstzrange NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT now()
);
REVOKE ALL ON timeseries.refresh_requests FROM PUBLIC, shelfops_app;
GRANT SELECT ON timeseries.refresh_requests TO shelfops_operator;

CREATE OR REPLACE FUNCTION public.request_refresh(moments timestamptz[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO timeseries.refresh_requests (days)
    SELECT unnest(range_agg(tstzrange(day, day + INTERVAL '24 hours')))
    FROM (SELECT DISTINCT date_trunc('day', moment, 'UTC') AS day
          FROM unnest(moments) AS moment WHERE isfinite(moment)) AS touched;
END;
REVOKE ALL ON FUNCTION public.request_refresh(timestamptz[]) FROM PUBLIC, shelfops_operator;
GRANT EXECUTE ON FUNCTION public.request_refresh(timestamptz[]) TO shelfops_app;
"""
DROP_REFRESH_REQUESTS = """
DROP FUNCTION IF EXISTS public.request_refresh(timestamptz[]);
DROP TABLE IF EXISTS timeseries.refresh_requests;
"""

# A window never reaches past the retention, which would delete history from the aggregate, nor
# into the current day, which the real-time aggregate reads from the rows themselves.
# The procedure commits, so it can have no SET search_path; its names are qualified instead.
# Requests are deleted last: what an interruption leaves behind is refreshed again, at no cost.
REFRESH_JOB = """
CREATE OR REPLACE PROCEDURE timeseries.refresh_requested(
    job_id integer DEFAULT NULL, config jsonb DEFAULT NULL)
LANGUAGE plpgsql AS $$
DECLARE
    requests  bigint[];
    allowed   tstzrange := tstzrange(
        pg_catalog.date_trunc('day', pg_catalog.now() - INTERVAL '2 years', 'UTC')
            + INTERVAL '24 hours',
        pg_catalog.date_trunc('day', pg_catalog.now(), 'UTC'));
    memory    text := pg_catalog.current_setting('work_mem');
    touched   tstzrange;
    aggregate regclass;
BEGIN
    -- A year's groups in memory: half the time. For the session, as a refresh commits within.
    PERFORM pg_catalog.set_config('work_mem', '64MB', false);
    SELECT pg_catalog.array_agg(request_id) INTO requests FROM timeseries.refresh_requests;
    FOR touched IN
        SELECT pg_catalog.unnest(pg_catalog.range_agg(days * allowed))
        FROM timeseries.refresh_requests WHERE request_id = ANY (requests) AND days && allowed
    LOOP
        FOR aggregate IN  -- one that is built on another comes after it
            SELECT pg_catalog.format('%I.%I', view_schema, view_name)::regclass
            FROM timescaledb_information.continuous_aggregates
            WHERE view_schema = 'timeseries'
            ORDER BY pg_catalog.substring(materialization_hypertable_name, '[0-9]+$')::integer
        LOOP
            CALL public.refresh_continuous_aggregate(
                aggregate, pg_catalog.lower(touched), pg_catalog.upper(touched));
            COMMIT;
        END LOOP;
    END LOOP;
    DELETE FROM timeseries.refresh_requests WHERE request_id = ANY (requests);
    COMMIT;
    PERFORM pg_catalog.set_config('work_mem', memory, false);
END $$;
REVOKE ALL ON PROCEDURE timeseries.refresh_requested(integer, jsonb) FROM PUBLIC;

SELECT add_job('timeseries.refresh_requested', INTERVAL '1 minute')
WHERE NOT EXISTS (SELECT FROM timescaledb_information.jobs
                  WHERE proc_schema = 'timeseries' AND proc_name = 'refresh_requested');
"""
DROP_REFRESH_JOB = """
SELECT delete_job(job_id) FROM timescaledb_information.jobs
WHERE proc_schema = 'timeseries' AND proc_name = 'refresh_requested';
DROP PROCEDURE IF EXISTS timeseries.refresh_requested(integer, jsonb);
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = [("tenancy", "0002_django_tables"), ("sales", "0001_initial")]

    operations = [
        RunSQL(IMPORT_BATCHES, "DROP TABLE IF EXISTS import_batches;"),
        tenant_table("import_batches", "SELECT, INSERT, UPDATE"),
        RunSQL(REFUSED_ROWS, "DROP TABLE IF EXISTS refused_rows;"),
        tenant_table("refused_rows", "SELECT, INSERT, UPDATE"),
        RunSQL(REFRESH_REQUESTS, DROP_REFRESH_REQUESTS),
        RunSQL(REFRESH_JOB, DROP_REFRESH_JOB),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name="ImportBatch",
                    fields=[
                        (
                            "batch_id",
                            models.UUIDField(
                                default=uuid.uuid4,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        (
                            "kind",
                            models.CharField(
                                help_text="What its rows are, such as transactions.", max_length=32
                            ),
                        ),
                        ("source", models.CharField(help_text="The file's name.", max_length=255)),
                        (
                            "source_hash",
                            models.CharField(help_text="SHA-256 of the file.", max_length=64),
                        ),
                        (
                            "imported_by",
                            models.CharField(
                                help_text="E-mail of a person, or a command.", max_length=254
                            ),
                        ),
                        (
                            "status",
                            models.CharField(
                                choices=[
                                    ("running", "Running"),
                                    ("done", "Done"),
                                    ("failed", "Failed"),
                                ],
                                default="running",
                                max_length=16,
                            ),
                        ),
                        ("rows_read", models.BigIntegerField(default=0)),
                        (
                            "rows_inserted",
                            models.BigIntegerField(default=0, verbose_name="inserted"),
                        ),
                        (
                            "rows_present",
                            models.BigIntegerField(default=0, verbose_name="already there"),
                        ),
                        ("rows_refused", models.BigIntegerField(default=0, verbose_name="refused")),
                        ("error", models.TextField(blank=True, default="")),
                        ("metadata", models.JSONField(blank=True, default=dict)),
                        ("started_at", models.DateTimeField(default=django.utils.timezone.now)),
                        ("finished_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "customer",
                            models.ForeignKey(
                                default=shelfops.tenancy.context.current_customer_id,
                                editable=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="tenancy.customer",
                            ),
                        ),
                    ],
                    options={
                        "verbose_name_plural": "import batches",
                        "db_table": "import_batches",
                        "ordering": ["-started_at"],
                    },
                ),
                migrations.CreateModel(
                    name="RefusedRow",
                    fields=[
                        (
                            "refused_row_id",
                            models.UUIDField(
                                default=uuid.uuid4,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("kind", models.CharField(max_length=32)),
                        ("source_hash", models.CharField(max_length=64)),
                        ("line_number", models.BigIntegerField(verbose_name="line")),
                        ("field", models.CharField(max_length=64)),
                        ("reason", models.CharField(max_length=255)),
                        ("content", models.JSONField()),
                        (
                            "batch",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="refused",
                                to="ingestion.importbatch",
                            ),
                        ),
                        (
                            "customer",
                            models.ForeignKey(
                                default=shelfops.tenancy.context.current_customer_id,
                                editable=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="tenancy.customer",
                            ),
                        ),
                    ],
                    options={
                        "db_table": "refused_rows",
                        "ordering": ["line_number"],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("customer", "kind", "source_hash", "line_number"),
                                name="refused_rows_line_key",
                            )
                        ],
                    },
                ),
            ]
        ),
    ]
