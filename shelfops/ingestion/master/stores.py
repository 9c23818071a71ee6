"""Stores in files."""

from shelfops.ingestion.master.kinds import Field, Kind
from shelfops.ingestion.master.words import yes_or_no

FIELDS = (
    Field(
        "code",
        "text",
        ("store", "storecode", "storeid", "storenumber", "storeno", "shop", "branch", "branchcode"),
        label="Code",
        path="code",
        hint="The store's key, at most 50 characters.",
    ),
    Field(
        "name",
        "text",
        ("storename", "title", "branchname", "shopname"),
        required=False,
        label="Name",
        path="name",
        hint="At most 255 characters. A new store needs one.",
    ),
    Field(
        "time_zone",
        "text",
        ("zone", "tz"),
        required=False,
        label="Time zone",
        path="time_zone",
        hint="Such as America/New_York. A new store needs one.",
    ),
    Field(
        "is_active",
        "text",
        ("active", "enabled", "open"),
        required=False,
        label="Active",
        path="is_active",
        hint="Yes or no; a new store is active.",
        shown=lambda row: yes_or_no(row["is_active"]),
    ),
)

STORES = Kind(
    name="stores",
    title="Stores",
    one="store",
    many="stores",
    fields=FIELDS,
    changelist="admin:inventory_store_changelist",
    permissions=("inventory.add_store", "inventory.change_store"),
    layout=tuple(field.name for field in FIELDS),
)
