"""Stores, products, reorder points, current stock, and the ledger of inventory levels."""

import uuid

import django.core.validators
import django.db.models.deletion
import django.db.models.expressions
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models
from django.db.migrations import RunSQL

import inventory.models
import shelfops.tenancy.context
from shelfops.tenancy.operations import tenant_table, tenant_view
from shelfops.timescale.operations import hypertable

# Keys start with the customer: a unique key that did not would tell a stranger what exists.
# References carry the customer too, since PostgreSQL checks foreign keys past row security.
STORES = """
CREATE TABLE IF NOT EXISTS stores (
    store_id    uuid NOT NULL DEFAULT gen_random_uuid(),
    customer_id uuid NOT NULL DEFAULT current_customer_id() REFERENCES customers,
    code        varchar(50) NOT NULL CHECK (code <> ''),
    name        varchar(255) NOT NULL CHECK (name <> ''),
    time_zone   varchar(64) NOT NULL DEFAULT 'UTC',
    is_active   boolean NOT NULL DEFAULT true,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (customer_id, store_id),
    CONSTRAINT stores_customer_id_code_key UNIQUE (customer_id, code)
);
"""

STORE_ASSIGNMENTS = """
CREATE TABLE IF NOT EXISTS store_assignments (
    assignment_id uuid NOT NULL DEFAULT gen_random_uuid(),
    customer_id   uuid NOT NULL DEFAULT current_customer_id() REFERENCES customers,
    user_id       uuid NOT NULL,
    store_id      uuid NOT NULL,
    PRIMARY KEY (customer_id, assignment_id),
    CONSTRAINT store_assignments_key UNIQUE (customer_id, user_id, store_id),
    FOREIGN KEY (customer_id, user_id) REFERENCES users (customer_id, user_id) ON DELETE CASCADE,
    FOREIGN KEY (customer_id, store_id) REFERENCES stores ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS idx_store_assignments_store ON store_assignments (customer_id, store_id);
"""

PRODUCTS = """
CREATE TABLE IF NOT EXISTS products (
    product_id      uuid NOT NULL DEFAULT gen_random_uuid(),
    customer_id     uuid NOT NULL DEFAULT current_customer_id() REFERENCES customers,
    sku             varchar(100) NOT NULL CHECK (sku <> ''),
    name            varchar(255) NOT NULL,
    department      varchar(100) NOT NULL DEFAULT '',
    category        varchar(100) NOT NULL DEFAULT '',
    brand           varchar(100) NOT NULL DEFAULT '',
    package_size    varchar(50) NOT NULL DEFAULT '',
    unit_cost       numeric(12, 4) CHECK (unit_cost >= 0),
    unit_price      numeric(12, 4) CHECK (unit_price >= 0),
    shelf_life_days integer CHECK (shelf_life_days >= 0),
    is_active       boolean NOT NULL DEFAULT true,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (customer_id, product_id),
    CONSTRAINT products_customer_id_sku_key UNIQUE (customer_id, sku)
);
CREATE INDEX IF NOT EXISTS idx_products_created_desc ON products (customer_id, created_at DESC);
CREATE INDEX IF NOT EXISTS idx_products_name ON products (customer_id, name);
CREATE INDEX IF NOT EXISTS idx_products_category ON products (customer_id, department, category);
"""

REORDER_POINTS = """
CREATE TABLE IF NOT EXISTS reorder_points (
    reorder_point_id uuid NOT NULL DEFAULT gen_random_uuid(),
    customer_id      uuid NOT NULL DEFAULT current_customer_id() REFERENCES customers,
    store_id         uuid NOT NULL,
    product_id       uuid NOT NULL,
    reorder_point    numeric(14, 3) NOT NULL CHECK (reorder_point >= 0),
    order_up_to      numeric(14, 3) CHECK (order_up_to >= reorder_point),
    order_multiple   numeric(14, 3) NOT NULL DEFAULT 1 CHECK (order_multiple > 0),
    lead_time_days   smallint CHECK (lead_time_days >= 0),
    effective_from   timestamptz NOT NULL DEFAULT now(),
    effective_to     timestamptz CHECK (effective_to > effective_from),
    created_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (customer_id, reorder_point_id),
    FOREIGN KEY (customer_id, store_id) REFERENCES stores,
    FOREIGN KEY (customer_id, product_id) REFERENCES products
);
CREATE UNIQUE INDEX IF NOT EXISTS idx_reorder_points_current
    ON reorder_points (customer_id, store_id, product_id) WHERE effective_to IS NULL;
CREATE INDEX IF NOT EXISTS idx_reorder_points_history
    ON reorder_points (customer_id, store_id, product_id, effective_from DESC);
CREATE INDEX IF NOT EXISTS idx_reorder_points_product ON reorder_points (customer_id, product_id);

-- A new reorder point closes the one in force, whoever writes it. One that would start before
-- the one in force is left to the unique index above, which refuses it.
CREATE OR REPLACE FUNCTION close_reorder_point() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE reorder_points SET effective_to = NEW.effective_from
    WHERE customer_id = NEW.customer_id AND store_id = NEW.store_id
      AND product_id = NEW.product_id AND effective_to IS NULL
      AND effective_from < NEW.effective_from;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER reorder_points_close_current BEFORE INSERT ON reorder_points
    FOR EACH ROW WHEN (NEW.effective_to IS NULL) EXECUTE FUNCTION close_reorder_point();
"""
DROP_REORDER_POINTS = """
DROP TABLE IF EXISTS reorder_points;
DROP FUNCTION IF EXISTS close_reorder_point();
"""

SNAPSHOT = """
    quantity_on_hand   numeric(14, 3) NOT NULL CHECK (quantity_on_hand >= 0),
    quantity_allocated numeric(14, 3) NOT NULL DEFAULT 0 CHECK (quantity_allocated >= 0),
    quantity_available numeric(14, 3) NOT NULL
        GENERATED ALWAYS AS (quantity_on_hand - quantity_allocated) STORED,
    source             varchar(16) NOT NULL DEFAULT 'feed'
        CHECK (source IN ('feed', 'count', 'simulated')),
    CHECK (quantity_allocated <= quantity_on_hand),
    FOREIGN KEY (customer_id, store_id) REFERENCES stores,
    FOREIGN KEY (customer_id, product_id) REFERENCES products
"""
CURRENT_STOCK = f"""
CREATE TABLE IF NOT EXISTS current_stock (
    current_stock_id uuid NOT NULL DEFAULT gen_random_uuid(),
    customer_id uuid NOT NULL DEFAULT current_customer_id(),
    store_id    uuid NOT NULL,
    product_id  uuid NOT NULL,
    timestamp   timestamptz NOT NULL,
    CONSTRAINT current_stock_key PRIMARY KEY (customer_id, store_id, product_id),
    {SNAPSHOT}
);
CREATE INDEX IF NOT EXISTS idx_current_stock_product ON current_stock (customer_id, product_id);
"""

# The key serves the seed's (store, product, timestamp) index; read backwards it is DESC.
INVENTORY_LEVELS = f"""
CREATE TABLE IF NOT EXISTS timeseries.inventory_levels (
    customer_id uuid NOT NULL DEFAULT current_customer_id(),
    store_id    uuid NOT NULL,
    product_id  uuid NOT NULL,
    timestamp   timestamptz NOT NULL,
    CONSTRAINT idx_inventory_store_product_time
        PRIMARY KEY (customer_id, store_id, product_id, timestamp),
    {SNAPSHOT}
);
"""
# Before TimescaleDB 2.25.2 a stored generated column could come back NULL from compressed
# chunks, so the view works it out itself.
INVENTORY_LEVELS_VIEW = """
SELECT md5(customer_id::text || store_id || product_id || extract(epoch FROM timestamp))::uuid
           AS inventory_level_id,
       customer_id, store_id, product_id, timestamp, quantity_on_hand, quantity_allocated,
       quantity_on_hand - quantity_allocated AS quantity_available, source
FROM timeseries.inventory_levels
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = [("tenancy", "0001_initial")]

    operations = [
        RunSQL(STORES, "DROP TABLE IF EXISTS stores;"),
        tenant_table("stores", "SELECT, INSERT, UPDATE"),
        RunSQL(STORE_ASSIGNMENTS, "DROP TABLE IF EXISTS store_assignments;"),
        tenant_table("store_assignments"),
        RunSQL(PRODUCTS, "DROP TABLE IF EXISTS products;"),
        tenant_table("products", "SELECT, INSERT, UPDATE"),
        RunSQL(REORDER_POINTS, DROP_REORDER_POINTS),
        tenant_table("reorder_points", "SELECT, INSERT, UPDATE"),
        RunSQL(CURRENT_STOCK, "DROP TABLE IF EXISTS current_stock;"),
        tenant_table("current_stock"),
        RunSQL(INVENTORY_LEVELS, "DROP TABLE IF EXISTS timeseries.inventory_levels;"),
        hypertable(
            "inventory_levels",
            "timestamp",
            order_by="store_id, product_id, timestamp",
            compress_after="14 days",
        ),
        tenant_view("inventory_levels", INVENTORY_LEVELS_VIEW, "SELECT, INSERT"),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name="InventoryLevel",
                    fields=[
                        ("timestamp", models.DateTimeField(verbose_name="counted at")),
                        (
                            "quantity_on_hand",
                            inventory.models.Quantity(
                                decimal_places=3, max_digits=14, verbose_name="on hand"
                            ),
                        ),
                        (
                            "quantity_allocated",
                            inventory.models.Quantity(
                                decimal_places=3, default=0, max_digits=14, verbose_name="allocated"
                            ),
                        ),
                        (
                            "quantity_available",
                            models.GeneratedField(
                                db_persist=True,
                                expression=django.db.models.expressions.CombinedExpression(
                                    models.F("quantity_on_hand"),
                                    "-",
                                    models.F("quantity_allocated"),
                                ),
                                output_field=inventory.models.Quantity(
                                    decimal_places=3, max_digits=14
                                ),
                                verbose_name="available",
                            ),
                        ),
                        (
                            "source",
                            models.CharField(help_text="feed, count or simulated", max_length=16),
                        ),
                        ("inventory_level_id", models.UUIDField(primary_key=True, serialize=False)),
                    ],
                    options={
                        "verbose_name": "inventory level",
                        "db_table": "inventory_levels",
                        "ordering": ["-timestamp"],
                        "managed": False,
                    },
                ),
                migrations.CreateModel(
                    name="Product",
                    fields=[
                        (
                            "product_id",
                            models.UUIDField(
                                default=uuid.uuid4,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        (
                            "sku",
                            models.CharField(
                                help_text="Unique within your company.",
                                max_length=100,
                                verbose_name="SKU",
                            ),
                        ),
                        ("name", models.CharField(max_length=255)),
                        ("department", models.CharField(blank=True, max_length=100)),
                        ("category", models.CharField(blank=True, max_length=100)),
                        ("brand", models.CharField(blank=True, max_length=100)),
                        ("package_size", models.CharField(blank=True, max_length=50)),
                        (
                            "unit_cost",
                            models.DecimalField(
                                blank=True,
                                decimal_places=4,
                                help_text="What one unit costs you. Margins are shown where it is known.",
                                max_digits=12,
                                null=True,
                                validators=[django.core.validators.MinValueValidator(0)],
                            ),
                        ),
                        (
                            "unit_price",
                            models.DecimalField(
                                blank=True,
                                decimal_places=4,
                                help_text="The regular retail price of one unit.",
                                max_digits=12,
                                null=True,
                                validators=[django.core.validators.MinValueValidator(0)],
                            ),
                        ),
                        ("shelf_life_days", models.PositiveIntegerField(blank=True, null=True)),
                        ("is_active", models.BooleanField(default=True, verbose_name="active")),
                        (
                            "created_at",
                            models.DateTimeField(default=django.utils.timezone.now, editable=False),
                        ),
                        ("updated_at", models.DateTimeField(auto_now=True)),
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
                        "db_table": "products",
                        "ordering": ["name"],
                    },
                ),
                migrations.CreateModel(
                    name="Store",
                    fields=[
                        (
                            "store_id",
                            models.UUIDField(
                                default=uuid.uuid4,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        (
                            "code",
                            models.CharField(
                                help_text="The store's number in your own systems.", max_length=50
                            ),
                        ),
                        ("name", models.CharField(max_length=255)),
                        (
                            "time_zone",
                            models.CharField(
                                default="UTC",
                                help_text="Its business days follow this zone, for example America/New_York.",
                                max_length=64,
                                validators=[inventory.models.validate_time_zone],
                            ),
                        ),
                        ("is_active", models.BooleanField(default=True, verbose_name="active")),
                        (
                            "created_at",
                            models.DateTimeField(default=django.utils.timezone.now, editable=False),
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
                        "db_table": "stores",
                        "ordering": ["name"],
                    },
                ),
                migrations.CreateModel(
                    name="ReorderPoint",
                    fields=[
                        (
                            "reorder_point_id",
                            models.UUIDField(
                                default=uuid.uuid4,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        (
                            "reorder_point",
                            inventory.models.Quantity(
                                decimal_places=3,
                                help_text="Reorder when available stock is at or below.",
                                max_digits=14,
                                validators=[django.core.validators.MinValueValidator(0)],
                            ),
                        ),
                        (
                            "order_up_to",
                            inventory.models.Quantity(
                                blank=True,
                                decimal_places=3,
                                help_text="Stock to reach with an order.",
                                max_digits=14,
                                null=True,
                                validators=[django.core.validators.MinValueValidator(0)],
                            ),
                        ),
                        (
                            "order_multiple",
                            inventory.models.Quantity(
                                decimal_places=3,
                                default=1,
                                help_text="Orders are rounded up to it.",
                                max_digits=14,
                                validators=[django.core.validators.MinValueValidator(0.001)],
                            ),
                        ),
                        ("lead_time_days", models.PositiveSmallIntegerField(blank=True, null=True)),
                        ("effective_from", models.DateTimeField(default=django.utils.timezone.now)),
                        (
                            "effective_to",
                            models.DateTimeField(blank=True, editable=False, null=True),
                        ),
                        (
                            "created_at",
                            models.DateTimeField(default=django.utils.timezone.now, editable=False),
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
                        (
                            "product",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="reorder_points",
                                to="inventory.product",
                            ),
                        ),
                        (
                            "store",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="reorder_points",
                                to="inventory.store",
                            ),
                        ),
                    ],
                    options={
                        "db_table": "reorder_points",
                        "ordering": ["-effective_from"],
                    },
                ),
                migrations.CreateModel(
                    name="CurrentStock",
                    fields=[
                        ("timestamp", models.DateTimeField(verbose_name="counted at")),
                        (
                            "quantity_on_hand",
                            inventory.models.Quantity(
                                decimal_places=3, max_digits=14, verbose_name="on hand"
                            ),
                        ),
                        (
                            "quantity_allocated",
                            inventory.models.Quantity(
                                decimal_places=3, default=0, max_digits=14, verbose_name="allocated"
                            ),
                        ),
                        (
                            "quantity_available",
                            models.GeneratedField(
                                db_persist=True,
                                expression=django.db.models.expressions.CombinedExpression(
                                    models.F("quantity_on_hand"),
                                    "-",
                                    models.F("quantity_allocated"),
                                ),
                                output_field=inventory.models.Quantity(
                                    decimal_places=3, max_digits=14
                                ),
                                verbose_name="available",
                            ),
                        ),
                        (
                            "source",
                            models.CharField(help_text="feed, count or simulated", max_length=16),
                        ),
                        (
                            "current_stock_id",
                            models.UUIDField(
                                default=uuid.uuid4,
                                editable=False,
                                primary_key=True,
                                serialize=False,
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
                        (
                            "product",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="stock",
                                to="inventory.product",
                            ),
                        ),
                        (
                            "store",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="stock",
                                to="inventory.store",
                            ),
                        ),
                    ],
                    options={
                        "verbose_name": "current stock",
                        "verbose_name_plural": "current stock",
                        "db_table": "current_stock",
                    },
                ),
                migrations.CreateModel(
                    name="StoreAssignment",
                    fields=[
                        (
                            "assignment_id",
                            models.UUIDField(
                                default=uuid.uuid4,
                                editable=False,
                                primary_key=True,
                                serialize=False,
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
                        (
                            "store",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="assignments",
                                to="inventory.store",
                            ),
                        ),
                        (
                            "user",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="assignments",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "verbose_name": "store assignment",
                        "db_table": "store_assignments",
                    },
                ),
                migrations.AddField(
                    model_name="store",
                    name="staff",
                    field=models.ManyToManyField(
                        related_name="stores",
                        through="inventory.StoreAssignment",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                migrations.AddConstraint(
                    model_name="product",
                    constraint=models.UniqueConstraint(
                        fields=("customer", "sku"), name="products_customer_id_sku_key"
                    ),
                ),
                migrations.AddConstraint(
                    model_name="currentstock",
                    constraint=models.UniqueConstraint(
                        fields=("customer", "store", "product"), name="current_stock_key"
                    ),
                ),
                migrations.AddConstraint(
                    model_name="storeassignment",
                    constraint=models.UniqueConstraint(
                        fields=("customer", "user", "store"), name="store_assignments_key"
                    ),
                ),
                migrations.AddConstraint(
                    model_name="store",
                    constraint=models.UniqueConstraint(
                        fields=("customer", "code"), name="stores_customer_id_code_key"
                    ),
                ),
            ]
        ),
    ]
