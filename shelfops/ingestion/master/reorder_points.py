"""Reorder points in files."""

from shelfops.ingestion.master.kinds import Field, Kind
from shelfops.ingestion.master.words import clock_of

FIELDS = (
    Field(
        "store",
        "text",
        ("storecode", "storeid", "storenumber", "storeno", "shop", "branch"),
        label="Store",
        path="store__code",
        hint="The store's code.",
    ),
    Field(
        "product",
        "text",
        ("sku", "productcode", "productid", "item", "itemcode", "itemid", "article"),
        label="SKU",
        path="product__sku",
        hint="Of a product in the catalogue.",
    ),
    Field(
        "reorder_point",
        3,
        ("reorderat", "rop", "minimum", "min", "minstock", "reorderlevel"),
        label="Reorder point",
        path="reorder_point",
        hint="0 or more, at most 3 decimals.",
    ),
    Field(
        "order_up_to",
        3,
        ("maximum", "max", "maxstock", "orderupto", "target", "orderuptolevel"),
        required=False,
        label="Order up to",
        path="order_up_to",
        hint="Not below the reorder point.",
    ),
    Field(
        "order_multiple",
        3,
        ("multiple", "casepack", "packquantity", "moq"),
        required=False,
        label="Order multiple",
        path="order_multiple",
        hint="Above 0; 1 if none is given.",
    ),
    Field(
        "lead_time_days",
        "integer",
        ("leadtime", "leadtimeindays", "deliverydays"),
        required=False,
        label="Lead time (days)",
        path="lead_time_days",
        hint="A whole number.",
    ),
    Field(
        "effective_from",
        "time",
        ("from", "inforcefrom", "validfrom", "start", "startdate"),
        required=False,
        label="In force from",
        path="effective_from",
        hint="Such as 2026-03-31 or 2026-03-31 14:05, in the store's time zone; empty is now.",
        shown=lambda row: clock_of(row["effective_from"], row["store__time_zone"]),
    ),
)
NOTES = (
    Field("store_name", "text", label="Store name", path="store__name"),
    Field("product_name", "text", label="Product name", path="product__name"),
    Field(
        "effective_to",
        "time",
        label="In force until",
        path="effective_to",
        shown=lambda row: clock_of(row["effective_to"], row["store__time_zone"]),
    ),
)

REORDER_POINTS = Kind(
    name="reorder_points",
    title="Reorder points",
    one="reorder point",
    many="reorder points",
    fields=FIELDS,
    changelist="admin:inventory_reorderpoint_changelist",
    permissions=("inventory.add_reorderpoint",),
    layout=("store", "store_name", "product", "product_name", "reorder_point", "order_up_to")
    + ("order_multiple", "lead_time_days", "effective_from", "effective_to"),
    notes=NOTES,
    reads=("store__time_zone",),
)
