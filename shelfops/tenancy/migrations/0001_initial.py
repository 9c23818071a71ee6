"""The current customer, customers, users, and the log of operators' access."""

import uuid

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models
from django.db.migrations import RunSQL

import shelfops.tenancy.context
from shelfops.tenancy.operations import OWN_ROWS, tenant_table

# plpgsql, because an SQL function would be inlined, and then the columnstore cannot prune
# segments by it. After a commit the setting is '' and not NULL. Names are qualified so that
# nothing in a caller's search path can stand in for them.
FUNCTIONS = """
CREATE OR REPLACE FUNCTION public.current_customer_id() RETURNS uuid
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
    RETURN nullif(pg_catalog.current_setting('app.current_customer_id', true), '')::pg_catalog.uuid;
END $$;

CREATE OR REPLACE FUNCTION public.current_user_id() RETURNS uuid
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
    RETURN nullif(pg_catalog.current_setting('app.current_user_id', true), '')::pg_catalog.uuid;
END $$;

CREATE OR REPLACE FUNCTION public.keep_customer() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a user stays with the customer they were made for' USING ERRCODE = '23514';
END $$;
"""
DROP_FUNCTIONS = """
DROP FUNCTION IF EXISTS public.keep_customer();
DROP FUNCTION IF EXISTS public.current_user_id();
DROP FUNCTION IF EXISTS public.current_customer_id();
"""

CUSTOMERS = """
CREATE TABLE IF NOT EXISTS customers (
    customer_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name        varchar(255) NOT NULL CHECK (name <> ''),
    currency    varchar(3) NOT NULL DEFAULT 'USD' CHECK (currency ~ '^[A-Z]{3}$'),
    is_active   boolean NOT NULL DEFAULT true,
    created_at  timestamptz NOT NULL DEFAULT now()
);
"""
# A platform operator who is logged in sees, makes and changes customers. Who that is, the
# database reads from its own row of `users`; a stranger's id shows no row and opens nothing.
OPERATOR_CUSTOMERS = """
CREATE OR REPLACE FUNCTION public.current_user_is_operator() RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RETURN EXISTS (SELECT FROM public.users
                   WHERE user_id = public.current_user_id() AND role = 'operator' AND is_active);
END $$;
DROP POLICY IF EXISTS customers_logged_in_operator ON customers;
CREATE POLICY customers_logged_in_operator ON customers TO shelfops_app
    USING ((SELECT current_user_is_operator())) WITH CHECK ((SELECT current_user_is_operator()));
DROP POLICY IF EXISTS customers_insert ON customers;
CREATE POLICY customers_insert ON customers AS RESTRICTIVE
    FOR INSERT TO shelfops_app WITH CHECK ((SELECT current_user_is_operator()));
DROP POLICY IF EXISTS customers_update ON customers;
CREATE POLICY customers_update ON customers AS RESTRICTIVE
    FOR UPDATE TO shelfops_app USING ((SELECT current_user_is_operator()));
DROP POLICY IF EXISTS customers_operator_insert ON customers;
CREATE POLICY customers_operator_insert ON customers
    FOR INSERT TO shelfops_operator WITH CHECK (true);
DROP POLICY IF EXISTS customers_operator_update ON customers;
CREATE POLICY customers_operator_update ON customers
    FOR UPDATE TO shelfops_operator USING (true) WITH CHECK (true);
GRANT INSERT, UPDATE ON customers TO shelfops_operator;
"""
DROP_OPERATOR_CUSTOMERS = """
DROP POLICY IF EXISTS customers_logged_in_operator ON customers;
DROP POLICY IF EXISTS customers_insert ON customers;
DROP POLICY IF EXISTS customers_update ON customers;
DROP POLICY IF EXISTS customers_operator_insert ON customers;
DROP POLICY IF EXISTS customers_operator_update ON customers;
DROP FUNCTION IF EXISTS public.current_user_is_operator();
"""

# E-mail is unique across customers because people log in by it alone.
USERS = """
CREATE TABLE IF NOT EXISTS users (
    user_id     uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    customer_id uuid REFERENCES customers,
    email       varchar(254) NOT NULL UNIQUE CHECK (email = lower(email)),
    name        varchar(255) NOT NULL,
    role        varchar(16) NOT NULL
                CHECK (role IN ('operator', 'admin', 'manager', 'staff', 'analyst')),
    password    varchar(128) NOT NULL,
    is_active   boolean NOT NULL DEFAULT true,
    last_login  timestamptz,
    created_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (customer_id, user_id),
    CONSTRAINT users_operator_has_no_customer CHECK ((role = 'operator') = (customer_id IS NULL))
);
CREATE OR REPLACE TRIGGER users_keep_customer BEFORE UPDATE ON users
    FOR EACH ROW WHEN (NEW.customer_id IS DISTINCT FROM OLD.customer_id)
    EXECUTE FUNCTION keep_customer();
"""
# The row of the person who logs in is seen before their customer is known: by the e-mail being
# tried, then by the id that the session holds. New rows are of the current customer only.
SEEN_USERS = f"""
{OWN_ROWS}
OR user_id = (SELECT current_user_id())
OR email = (SELECT nullif(current_setting('app.login_email', true), ''))
"""
USER_POLICIES = f"""
DROP POLICY IF EXISTS users_insert ON users;
CREATE POLICY users_insert ON users AS RESTRICTIVE
    FOR INSERT TO shelfops_app WITH CHECK ({OWN_ROWS});
DROP POLICY IF EXISTS users_update ON users;
CREATE POLICY users_update ON users AS RESTRICTIVE
    FOR UPDATE TO shelfops_app
    USING ({OWN_ROWS} OR user_id = (SELECT current_user_id()))
    WITH CHECK ({OWN_ROWS} OR user_id = (SELECT current_user_id()));
DROP POLICY IF EXISTS users_operator_insert ON users;
CREATE POLICY users_operator_insert ON users
    FOR INSERT TO shelfops_operator WITH CHECK (customer_id IS NULL);
DROP POLICY IF EXISTS users_operator_update ON users;
CREATE POLICY users_operator_update ON users
    FOR UPDATE TO shelfops_operator
    USING (customer_id IS NULL) WITH CHECK (customer_id IS NULL);
REVOKE SELECT ON users FROM shelfops_operator;  -- all but the password
GRANT SELECT (user_id, customer_id, email, name, role, is_active, last_login, created_at)
    ON users TO shelfops_operator;
GRANT INSERT, UPDATE ON users TO shelfops_operator;
"""
DROP_USER_POLICIES = """
DROP POLICY IF EXISTS users_insert ON users;
DROP POLICY IF EXISTS users_update ON users;
DROP POLICY IF EXISTS users_operator_insert ON users;
DROP POLICY IF EXISTS users_operator_update ON users;
"""

CUSTOMER_ACCESS = """
CREATE TABLE IF NOT EXISTS customer_access (
    access_id      uuid NOT NULL DEFAULT gen_random_uuid(),
    customer_id    uuid NOT NULL DEFAULT current_customer_id() REFERENCES customers,
    operator_email varchar(254) NOT NULL,
    action         varchar(8) NOT NULL CHECK (action IN ('start', 'stop')),
    reason         varchar(255) NOT NULL,
    at             timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (customer_id, access_id)
);
CREATE INDEX IF NOT EXISTS idx_customer_access_at ON customer_access (customer_id, at DESC);
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        RunSQL(FUNCTIONS, DROP_FUNCTIONS),
        RunSQL(CUSTOMERS, "DROP TABLE IF EXISTS customers;"),
        tenant_table("customers", "SELECT, INSERT, UPDATE"),
        RunSQL(USERS, "DROP TABLE IF EXISTS users;"),
        tenant_table("users", "SELECT, INSERT, UPDATE", SEEN_USERS),
        RunSQL(USER_POLICIES, DROP_USER_POLICIES),
        RunSQL(OPERATOR_CUSTOMERS, DROP_OPERATOR_CUSTOMERS),
        RunSQL(CUSTOMER_ACCESS, "DROP TABLE IF EXISTS customer_access;"),
        tenant_table("customer_access", "SELECT, INSERT"),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name="Customer",
                    fields=[
                        (
                            "customer_id",
                            models.UUIDField(
                                default=uuid.uuid4,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("name", models.CharField(max_length=255)),
                        (
                            "currency",
                            models.CharField(
                                default="USD",
                                help_text="ISO 4217 code of every amount, such as USD.",
                                max_length=3,
                            ),
                        ),
                        (
                            "is_active",
                            models.BooleanField(
                                default=True,
                                help_text="Users of an inactive customer cannot log in.",
                                verbose_name="active",
                            ),
                        ),
                        (
                            "created_at",
                            models.DateTimeField(default=django.utils.timezone.now, editable=False),
                        ),
                    ],
                    options={
                        "db_table": "customers",
                        "ordering": ["name"],
                    },
                ),
                migrations.CreateModel(
                    name="User",
                    fields=[
                        ("password", models.CharField(max_length=128, verbose_name="password")),
                        (
                            "last_login",
                            models.DateTimeField(blank=True, null=True, verbose_name="last login"),
                        ),
                        (
                            "user_id",
                            models.UUIDField(
                                default=uuid.uuid4,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        (
                            "email",
                            models.EmailField(max_length=254, unique=True, verbose_name="e-mail"),
                        ),
                        ("name", models.CharField(max_length=255)),
                        (
                            "role",
                            models.CharField(
                                choices=[
                                    ("operator", "Platform operator"),
                                    ("admin", "Customer admin"),
                                    ("manager", "Store manager"),
                                    ("staff", "Staff"),
                                    ("analyst", "Analyst"),
                                ],
                                max_length=16,
                            ),
                        ),
                        (
                            "is_active",
                            models.BooleanField(
                                default=True,
                                help_text="Switch off instead of deleting: the history stays.",
                                verbose_name="active",
                            ),
                        ),
                        (
                            "created_at",
                            models.DateTimeField(default=django.utils.timezone.now, editable=False),
                        ),
                        (
                            "customer",
                            models.ForeignKey(
                                blank=True,
                                editable=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="tenancy.customer",
                            ),
                        ),
                    ],
                    options={
                        "db_table": "users",
                        "ordering": ["name"],
                    },
                ),
                migrations.CreateModel(
                    name="CustomerAccess",
                    fields=[
                        (
                            "access_id",
                            models.UUIDField(
                                default=uuid.uuid4,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        (
                            "operator_email",
                            models.EmailField(max_length=254, verbose_name="operator"),
                        ),
                        (
                            "action",
                            models.CharField(
                                choices=[("start", "Started acting"), ("stop", "Stopped acting")],
                                max_length=8,
                            ),
                        ),
                        ("reason", models.CharField(max_length=255)),
                        (
                            "at",
                            models.DateTimeField(
                                default=django.utils.timezone.now, verbose_name="when"
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
                        "verbose_name": "operator access",
                        "verbose_name_plural": "operator access",
                        "db_table": "customer_access",
                        "ordering": ["-at"],
                    },
                ),
            ]
        ),
    ]
