"""Versions of alert rules and webhooks."""

import django.utils.timezone
from django.db import migrations, models

from shelfops.tenancy.operations import versioned_table


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0008_versions"), ("alerts", "0014_evaluation_as_owner")]

    operations = [
        versioned_table("alert_rules", "{updated_at}"),
        versioned_table(
            "webhook_endpoints",
            "{salt,previous_salt,previous_until,secret_shown_at,collected_until}",
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AddField(
                    "alertrule", "version", models.PositiveIntegerField(default=1, editable=False)
                ),
                migrations.AddField(
                    "alertrule",
                    "changed_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False),
                ),
                migrations.AddField(
                    "alertrule", "changed_by", models.UUIDField(editable=False, null=True)
                ),
                migrations.AddField(
                    "webhookendpoint",
                    "version",
                    models.PositiveIntegerField(default=1, editable=False),
                ),
                migrations.AddField(
                    "webhookendpoint",
                    "changed_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False),
                ),
                migrations.AddField(
                    "webhookendpoint", "changed_by", models.UUIDField(editable=False, null=True)
                ),
            ]
        ),
    ]
