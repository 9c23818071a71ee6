"""Drafts of imports of master data, what each import changed, and the way to undo it."""

import uuid

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models
from django.db.migrations import RunSQL

import shelfops.tenancy.context
from shelfops.tenancy.operations import tenant_table

# No reference to the user: an operator who acts as the customer belongs to none.
DRAFTS = """
CREATE TABLE IF NOT EXISTS import_drafts (
    draft_id     uuid NOT NULL DEFAULT gen_random_uuid(),
    customer_id  uuid NOT NULL DEFAULT current_customer_id() REFERENCES customers,
    user_id      uuid NOT NULL,
    kind         varchar(32) NOT NULL CHECK (kind IN ('products', 'stores', 'reorder_points')),
    source       varchar(255) NOT NULL,
    source_hash  varchar(64) NOT NULL,
    file         bytea NOT NULL,
    reading      jsonb NOT NULL DEFAULT '{}',
    rows_read    integer NOT NULL DEFAULT 0 CHECK (rows_read >= 0),
    rows_created integer NOT NULL DEFAULT 0 CHECK (rows_created >= 0),
    rows_changed integer NOT NULL DEFAULT 0 CHECK (rows_changed >= 0),
    rows_refused integer NOT NULL DEFAULT 0 CHECK (rows_refused >= 0),
    compared_at  timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (customer_id, draft_id),
    CHECK (rows_created + rows_changed + rows_refused <= rows_read)
);
CREATE INDEX IF NOT EXISTS idx_import_drafts_created ON import_drafts (created_at);
"""
# Rows that would change nothing are not kept. `target_id` is the row that is changed, or the key
# of the one that will be made; `before` and `after` hold the fields that differ.
DRAFT_ROWS = """
CREATE TABLE IF NOT EXISTS import_draft_rows (
    customer_id uuid NOT NULL DEFAULT current_customer_id(),
    draft_id    uuid NOT NULL,
    line_number integer NOT NULL,
    outcome     varchar(8) NOT NULL CHECK (outcome IN ('created', 'changed', 'refused')),
    key         text NOT NULL,
    title       text NOT NULL,
    target_id   uuid,
    before      jsonb,
    after       jsonb,
    field       varchar(64),
    reason      varchar(255),
    content     jsonb,
    PRIMARY KEY (customer_id, draft_id, line_number),
    FOREIGN KEY (customer_id, draft_id) REFERENCES import_drafts ON DELETE CASCADE,
    CHECK ((outcome = 'refused') = (reason IS NOT NULL)),
    CHECK ((outcome = 'refused') = (after IS NULL)),
    CHECK ((outcome = 'changed') = (before IS NOT NULL))
);
"""
# What an import did to each row, to be undone: `before` is NULL for a row that it made.
CHANGES = """
CREATE TABLE IF NOT EXISTS import_changes (
    customer_id uuid NOT NULL DEFAULT current_customer_id(),
    batch_id    uuid NOT NULL,
    line_number integer NOT NULL,
    target_id   uuid NOT NULL,
    before      jsonb,
    after       jsonb NOT NULL,
    PRIMARY KEY (customer_id, batch_id, line_number),
    FOREIGN KEY (customer_id, batch_id) REFERENCES import_batches
);
"""

ROWS_CHANGED = """
ALTER TABLE import_batches
    ADD COLUMN IF NOT EXISTS rows_changed bigint NOT NULL DEFAULT 0 CHECK (rows_changed >= 0),
    DROP CONSTRAINT IF EXISTS import_batches_check,
    DROP CONSTRAINT IF EXISTS import_batches_rows_check;
ALTER TABLE import_batches ADD CONSTRAINT import_batches_rows_check
    CHECK (rows_read = rows_inserted + rows_changed + rows_present + rows_refused);
"""
# The owner is under row-level security, too, and would not see the rows to turn back.
NO_ROWS_CHANGED = """
ALTER TABLE import_batches NO FORCE ROW LEVEL SECURITY;
ALTER TABLE import_batches DROP CONSTRAINT IF EXISTS import_batches_rows_check;
UPDATE import_batches SET rows_present = rows_present + rows_changed WHERE rows_changed > 0;
ALTER TABLE import_batches DROP COLUMN IF EXISTS rows_changed;
ALTER TABLE import_batches DROP CONSTRAINT IF EXISTS import_batches_check;
ALTER TABLE import_batches ADD CONSTRAINT import_batches_check
    CHECK (rows_read = rows_inserted + rows_present + rows_refused);
ALTER TABLE import_batches FORCE ROW LEVEL SECURITY;
"""

# A draft that nobody applied goes after a day. The owner sees those and no others.
PURGE = """
DROP POLICY IF EXISTS import_drafts_old ON import_drafts;
CREATE POLICY import_drafts_old ON import_drafts TO shelfops_owner
    USING (created_at < now() - INTERVAL '1 day');

CREATE OR REPLACE PROCEDURE timeseries.purge_import_drafts(
    job_id integer DEFAULT NULL, config jsonb DEFAULT NULL)
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM public.import_drafts WHERE created_at < now() - INTERVAL '1 day';
$$;
REVOKE ALL ON PROCEDURE timeseries.purge_import_drafts(integer, jsonb) FROM PUBLIC;

SELECT add_job('timeseries.purge_import_drafts', INTERVAL '1 hour')
WHERE NOT EXISTS (SELECT FROM timescaledb_information.jobs
                  WHERE proc_schema = 'timeseries' AND proc_name = 'purge_import_drafts');
"""
NO_PURGE = """
SELECT delete_job(job_id) FROM timescaledb_information.jobs
WHERE proc_schema = 'timeseries' AND proc_name = 'purge_import_drafts';
DROP PROCEDURE IF EXISTS timeseries.purge_import_drafts(integer, jsonb);
DROP POLICY IF EXISTS import_drafts_old ON import_drafts;
"""

# The application deletes no product, store or reorder point by itself, only through these: what
# a batch of the kind is recorded to have made, while it counts as done. They run as the owner,
# who is bound by the same policies; foreign keys keep whatever something else refers to.
REMOVE = """
CREATE OR REPLACE FUNCTION public.remove_imported_products(batch uuid) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH removed AS (
        DELETE FROM public.products AS product
        USING public.import_changes AS change, public.import_batches AS batches
        WHERE batches.batch_id = batch AND batches.kind = 'products' AND batches.status = 'done'
          AND change.batch_id = batches.batch_id AND change.before IS NULL
          AND product.product_id = change.target_id
        RETURNING 1)
    SELECT count(*) FROM removed;
END;

CREATE OR REPLACE FUNCTION public.remove_imported_stores(batch uuid) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH removed AS (
        DELETE FROM public.stores AS store
        USING public.import_changes AS change, public.import_batches AS batches
        WHERE batches.batch_id = batch AND batches.kind = 'stores' AND batches.status = 'done'
          AND change.batch_id = batches.batch_id AND change.before IS NULL
          AND store.store_id = change.target_id
        RETURNING 1)
    SELECT count(*) FROM removed;
END;

-- All that a batch wrote of reorder points are new ones; those it closed are opened again.
CREATE OR REPLACE FUNCTION public.remove_imported_reorder_points(batch uuid) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    removed bigint;
BEGIN
    DELETE FROM public.reorder_points AS point
    USING public.import_changes AS change, public.import_batches AS batches
    WHERE batches.batch_id = batch AND batches.kind = 'reorder_points'
      AND batches.status = 'done' AND change.batch_id = batches.batch_id
      AND point.reorder_point_id = change.target_id AND point.effective_to IS NULL;
    GET DIAGNOSTICS removed = ROW_COUNT;
    UPDATE public.reorder_points AS point SET effective_to = NULL
    FROM public.import_changes AS change, public.import_batches AS batches
    WHERE batches.batch_id = batch AND batches.kind = 'reorder_points'
      AND batches.status = 'done' AND change.batch_id = batches.batch_id
      AND point.reorder_point_id = (change.before ->> 'reorder_point_id')::uuid;
    RETURN removed;
END $$;

REVOKE ALL ON FUNCTION public.remove_imported_products(uuid),
    public.remove_imported_stores(uuid), public.remove_imported_reorder_points(uuid)
    FROM PUBLIC, shelfops_operator;
GRANT EXECUTE ON FUNCTION public.remove_imported_products(uuid),
    public.remove_imported_stores(uuid), public.remove_imported_reorder_points(uuid)
    TO shelfops_app;
"""
DO_NOT_REMOVE = """
DROP FUNCTION IF EXISTS public.remove_imported_products(uuid);
DROP FUNCTION IF EXISTS public.remove_imported_stores(uuid);
DROP FUNCTION IF EXISTS public.remove_imported_reorder_points(uuid);
"""


class Migration(migrations.Migration):
    dependencies = [("ingestion", "0003_rows_of_imports"), ("inventory", "0001_initial")]

    operations = [
        RunSQL(DRAFTS, "DROP TABLE IF EXISTS import_drafts;"),
        tenant_table("import_drafts"),
        RunSQL(DRAFT_ROWS, "DROP TABLE IF EXISTS import_draft_rows;"),
        tenant_table("import_draft_rows", "SELECT, INSERT, UPDATE, DELETE"),
        RunSQL(CHANGES, "DROP TABLE IF EXISTS import_changes;"),
        tenant_table("import_changes", "SELECT, INSERT"),
        RunSQL(ROWS_CHANGED, NO_ROWS_CHANGED),
        RunSQL(PURGE, NO_PURGE),
        RunSQL(REMOVE, DO_NOT_REMOVE),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AddField(
                    model_name="importbatch",
                    name="rows_changed",
                    field=models.BigIntegerField(default=0, verbose_name="changed"),
                ),
                migrations.CreateModel(
                    name="ImportDraft",
                    fields=[
                        (
                            "draft_id",
                            models.UUIDField(
                                default=uuid.uuid4,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("user_id", models.UUIDField(editable=False)),
                        ("kind", models.CharField(max_length=32)),
                        ("source", models.CharField(max_length=255)),
                        ("source_hash", models.CharField(max_length=64)),
                        ("file", models.BinaryField()),
                        ("reading", models.JSONField(default=dict)),
                        ("rows_read", models.IntegerField(default=0)),
                        ("rows_created", models.IntegerField(default=0)),
                        ("rows_changed", models.IntegerField(default=0)),
                        ("rows_refused", models.IntegerField(default=0)),
                        ("compared_at", models.DateTimeField(null=True)),
                        ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
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
                    options={"db_table": "import_drafts", "ordering": ["-created_at"]},
                ),
            ]
        ),
    ]
