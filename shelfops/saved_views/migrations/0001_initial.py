"""Saved views, which each user has for themselves."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.migrations import RunSQL

import shelfops.tenancy.context
from shelfops.tenancy.operations import OWN_ROWS, tenant_table

SAVED_VIEWS = """
CREATE TABLE IF NOT EXISTS saved_views (
    view_id     uuid NOT NULL DEFAULT gen_random_uuid(),
    customer_id uuid NOT NULL DEFAULT current_customer_id() REFERENCES customers,
    user_id     uuid NOT NULL DEFAULT current_user_id(),
    page        varchar(100) NOT NULL CHECK (page <> ''),
    name        varchar(100) NOT NULL CHECK (name <> ''),
    query       varchar(8000) NOT NULL,
    is_default  boolean NOT NULL DEFAULT false,
    PRIMARY KEY (customer_id, view_id),
    CONSTRAINT saved_views_name_key UNIQUE (customer_id, user_id, page, name),
    FOREIGN KEY (customer_id, user_id) REFERENCES users (customer_id, user_id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX IF NOT EXISTS idx_saved_views_default
    ON saved_views (customer_id, user_id, page) WHERE is_default;
"""
# Nobody sees or writes another person's, whatever a statement asks for.
OWN_VIEWS = f"{OWN_ROWS} AND user_id = (SELECT current_user_id())"


class Migration(migrations.Migration):
    initial = True

    dependencies = [("tenancy", "0002_django_tables")]

    operations = [
        RunSQL(SAVED_VIEWS, "DROP TABLE IF EXISTS saved_views;"),
        tenant_table("saved_views", own_rows=OWN_VIEWS),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name="SavedView",
                    fields=[
                        (
                            "view_id",
                            models.UUIDField(
                                default=uuid.uuid4,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("page", models.CharField(max_length=100)),
                        ("name", models.CharField(max_length=100)),
                        ("query", models.CharField(blank=True, max_length=8000)),
                        ("is_default", models.BooleanField(default=False)),
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
                            "user",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={"db_table": "saved_views", "ordering": ["name"]},
                ),
                migrations.AddConstraint(
                    model_name="savedview",
                    constraint=models.UniqueConstraint(
                        fields=("customer", "user", "page", "name"), name="saved_views_name_key"
                    ),
                ),
            ]
        ),
    ]
