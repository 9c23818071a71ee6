"""Versions of stores, products and reorder points."""

import django.utils.timezone
from django.db import migrations, models

from shelfops.tenancy.operations import versioned_table


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0008_versions"), ("inventory", "0003_store_time_zones")]

    operations = [
        versioned_table("stores"),
        versioned_table("products", "{updated_at}"),
        versioned_table("reorder_points"),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AddField(
                    "store", "version", models.PositiveIntegerField(default=1, editable=False)
                ),
                migrations.AddField(
                    "store",
                    "changed_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False),
                ),
                migrations.AddField(
                    "store", "changed_by", models.UUIDField(editable=False, null=True)
                ),
                migrations.AddField(
                    "product", "version", models.PositiveIntegerField(default=1, editable=False)
                ),
                migrations.AddField(
                    "product",
                    "changed_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False),
                ),
                migrations.AddField(
                    "product", "changed_by", models.UUIDField(editable=False, null=True)
                ),
                migrations.AddField(
                    "reorderpoint",
                    "version",
                    models.PositiveIntegerField(default=1, editable=False),
                ),
                migrations.AddField(
                    "reorderpoint",
                    "changed_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False),
                ),
                migrations.AddField(
                    "reorderpoint", "changed_by", models.UUIDField(editable=False, null=True)
                ),
            ]
        ),
    ]
