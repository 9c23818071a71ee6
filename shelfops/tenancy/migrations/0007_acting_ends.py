"""The start of an operator's acting as a customer says when it ends at the latest."""

from django.db import migrations, models
from django.db.migrations import RunSQL

ENDS_AT = "ALTER TABLE customer_access ADD COLUMN IF NOT EXISTS ends_at timestamptz;"
NO_ENDS_AT = "ALTER TABLE customer_access DROP COLUMN IF EXISTS ends_at;"


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0006_operators_read")]

    operations = [
        RunSQL(
            ENDS_AT,
            NO_ENDS_AT,
            state_operations=[
                migrations.AddField(
                    "customeraccess",
                    "ends_at",
                    models.DateTimeField(null=True, verbose_name="ends at the latest"),
                )
            ],
        )
    ]
