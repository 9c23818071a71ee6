"""A person's saved views; the database shows them to nobody else."""

from uuid import uuid4

from django.conf import settings
from django.db import models

from shelfops.tenancy.models import TenantModel

MOST_CHARACTERS = 8000


class SavedView(TenantModel):
    """`page` is the page's name in urls.py, `query` its query string."""

    view_id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", db_constraint=False
    )
    page = models.CharField(max_length=100)
    name = models.CharField(max_length=100)
    query = models.CharField(max_length=MOST_CHARACTERS, blank=True)
    is_default = models.BooleanField(default=False)

    class Meta:
        db_table = "saved_views"
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "user", "page", "name"], name="saved_views_name_key"
            )
        ]

    def __str__(self) -> str:
        return self.name
