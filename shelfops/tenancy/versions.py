"""Rows that people edit carry a version, so that nobody overwrites what they have not seen.

The database counts it: a trigger on UPDATE (operations.versioned_table) raises the version of a
row that changes, whoever changes it, by form, import, undo or hand, and notes when and by whom.
"""

from typing import Any
from uuid import UUID

from django.db import models
from django.utils import timezone


class Stale(Exception):
    """The row is gone, or no longer has the version that was read; nothing was written."""


class Versioned(models.Model):
    version = models.PositiveIntegerField(default=1, editable=False)
    changed_at = models.DateTimeField(default=timezone.now, editable=False)
    # The user, empty for commands and jobs; platform operators are in it too.
    changed_by = models.UUIDField(null=True, editable=False)

    class Meta:
        abstract = True

    _expected: int | None = None

    def save_unless_changed(self) -> None:
        """Save over the version that was read, or raise Stale; the UPDATE itself compares it."""
        self._expected = self.version
        try:
            self.save(force_update=True)
        finally:
            self._expected = None

    def _do_update(self, base_qs: Any, *args: Any, **kwargs: Any) -> Any:
        if self._expected is not None:
            base_qs = base_qs.filter(version=self._expected)
        updated = super()._do_update(base_qs, *args, **kwargs)
        if self._expected is not None and not updated:
            raise Stale
        return updated


def name_of_changer(user_id: UUID | None) -> str:
    """Who changed a row last, for the people of its customer."""
    from shelfops.tenancy.models import User

    if user_id is None:
        return "a command or job"
    user = User.objects.filter(pk=user_id).first()
    return str(user) if user else "a platform operator"
