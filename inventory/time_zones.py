"""What a change of a store's time zone means for the days that it has already.

The database keeps the old zone for them: see migration 0003_store_time_zones.
"""

from uuid import UUID

from django.db import connection

from inventory.models import Store


def has_history(store_id: UUID) -> bool:
    """Whether the store has any sales or counts of stock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT store_has_history(%s)", [store_id])
        return bool(cursor.fetchone()[0])


def warning(store: Store, old: str, new: str) -> str:
    """What a person agrees to who changes the zone of a store with history."""
    return (
        f"{store.name} has sales or counts of stock. Its days until today stay as they are, and"
        f" files of these days are still read in {old}. From tomorrow on, its days follow {new}."
        " To do this, switch on “Change from tomorrow on”. If the old days are wrong, too: undo"
        " their imports, change the time zone, and import the files again."
    )
